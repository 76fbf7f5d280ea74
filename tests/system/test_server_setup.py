"""`codeb server setup` and `check` on a server that has nothing yet.

One server for all of them, told in the order in which its owner would live through it: what is
tried before set-up fails and changes nothing, set-up is interrupted everywhere, then it is used.
"""

import re
import time
from collections.abc import Iterator

import pytest

from tests.system.fresh import ACCOUNT, DOMAIN, HOME, FreshServer
from tests.system.lab import Server
from tests.system.lab.images import web_image
from tests.system.lab.mirror import package_mirror
from tests.system.lab.product import install_product

CONFIG = f"{HOME}/.local/state/codeb/config.toml"
PDNS_CONFIG = "/etc/powerdns/pdns.d/codeb.conf"
STEPS_AT_LEAST = 20
LOWEST_EXPOSURE = 2.0


@pytest.fixture(scope="module")
def fresh(lab_host: None) -> Iterator[FreshServer]:
    with Server.boot(bare=True) as server:
        yield FreshServer(server, install_product(server))


@pytest.fixture(scope="module")
def set_up(fresh: FreshServer) -> FreshServer:
    """The server after set-up; that it was interrupted everywhere is what the tests are about."""
    with package_mirror(fresh.server):
        fresh.setup("--yes")
    return fresh


def test_plan_of_a_fresh_server_changes_nothing(fresh: FreshServer) -> None:
    before = fresh.server.run(["find", "/etc", "/home", "/usr/local", "-newer", "/proc/1"]).stdout
    planned = fresh.setup("--plan").stdout
    assert "create the account codeb" in planned
    assert f"create the DNS zone {DOMAIN}" in planned
    after = fresh.server.run(["find", "/etc", "/home", "/usr/local", "-newer", "/proc/1"]).stdout
    assert after == before


def test_check_of_a_fresh_server_says_that_it_is_not_set_up(fresh: FreshServer) -> None:
    ended = fresh.codeb("server", "check", "--json", check=False)
    assert ended.returncode == 4
    assert fresh.error(ended)["code"] == "not_set_up"


def test_without_a_terminal_set_up_wants_to_be_confirmed(fresh: FreshServer) -> None:
    ended = fresh.setup("--json", check=False)
    assert (ended.returncode, fresh.error(ended)["code"]) == (3, "not_confirmed")


def test_address_behind_a_nat_has_to_be_said(fresh: FreshServer) -> None:
    ended = fresh.codeb("server", "setup", "--domain", DOMAIN, "--json", check=False)
    assert (ended.returncode, fresh.error(ended)["code"]) == (2, "address_unknown")


def test_stranger_on_a_port_is_named_and_left_alone(fresh: FreshServer) -> None:
    web = ["systemd-run", "--unit=stranger", "busybox", "httpd", "-f", "-p", "80"]
    fresh.server.run(web)
    _until(lambda: "stranger" in _error_of(fresh.setup("--yes", check=False).stderr))
    ended = fresh.setup("--yes", "--json", check=False)
    error = fresh.error(ended)
    assert (ended.returncode, error["code"]) == (3, "port_held")
    assert re.search(r"busybox \(stranger\.service, process \d+\) holds port 80/tcp", str(error))
    assert "systemctl disable --now stranger.service" in error["hint"]
    fresh.server.run(["systemctl", "stop", "stranger"])


def test_server_without_a_mirror_fails_in_a_way_that_can_be_repeated(fresh: FreshServer) -> None:
    # nobody answers there, and says so at once
    fresh.server.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    begin = time.monotonic()
    ended = fresh.setup("--yes", "--json", check=False)
    error = fresh.error(ended)
    assert (ended.returncode, error["code"], error["retryable"]) == (5, "apt_failed", True)
    assert "run this again" in error["hint"]
    assert time.monotonic() - begin < 90


def test_set_up_killed_while_packages_are_installed_goes_on(fresh: FreshServer) -> None:
    server = fresh.server
    with package_mirror(server):
        told = ("--domain", DOMAIN, "--address", server.address, "--tls", "off", "--yes")
        begin = ["systemd-run", "--unit=victim", fresh.product.codeb, "server", "setup", *told]
        server.run(begin)
        # dpkg has unpacked Podman, and configured little yet
        _until(lambda: server.path_inside("/var/lib/dpkg/info/podman.list").exists())
        server.run(["systemctl", "kill", "--signal=KILL", "victim"])
        _until(lambda: _state(server, "victim") != "active")
        assert "InstallPackages" in _planned_anew(fresh)
        assert fresh.one_step() == "install_packages"


def test_set_up_killed_after_every_step_converges(fresh: FreshServer) -> None:
    with package_mirror(fresh.server):
        steps: list[str] = []
        while not steps or steps[-1] != "settled":
            steps.append(fresh.one_step())
            assert len(steps) < 3 * STEPS_AT_LEAST, steps
    assert len(steps) > STEPS_AT_LEAST, steps
    assert fresh.planned() == []
    assert fresh.wrong() == {}


def test_second_set_up_changes_nothing(set_up: FreshServer) -> None:
    assert set_up.planned() == []
    before = set_up.server.run(["stat", "--format=%y %n", CONFIG, PDNS_CONFIG]).stdout
    assert "nothing to do" in set_up.setup("--yes").stdout
    assert set_up.server.run(["stat", "--format=%y %n", CONFIG, PDNS_CONFIG]).stdout == before


def test_key_of_the_name_server_is_in_no_output_and_no_readable_file(set_up: FreshServer) -> None:
    server = set_up.server
    key = re.findall(r"^api-key=(\S+)$", server.read(PDNS_CONFIG), re.MULTILINE)[0]
    assert len(key) > 40
    said = set_up.setup("--plan", "--json").stdout + set_up.codeb("server", "check").stdout
    assert key not in said
    server.write("/root/key", key, mode=0o600)
    readable = ["find", "/etc", "/home", "/var/lib", "/run", "-xdev", "-type", "f", "-perm", "-4"]
    grep = ["grep", "--files-with-matches", "--fixed-strings", "--file=/root/key"]
    holding = server.run([*readable, "-exec", *grep, "{}", "+"], check=False)
    assert holding.stdout == ""


@pytest.mark.parametrize("unit", ["codeb.service", "codeb-caddy.service", "codeb-previews.service"])
def test_units_are_hardened(set_up: FreshServer, unit: str) -> None:
    said = set_up.server.run(["systemd-analyze", "security", "--no-pager", unit]).stdout
    exposure = re.findall(rf"exposure level for {unit}: ([\d.]+)", said)
    assert float(exposure[0]) <= LOWEST_EXPOSURE


def test_api_and_mcp_server_are_reached_from_inside_only(set_up: FreshServer) -> None:
    sockets = set_up.server.run(["ss", "-Hltn"]).stdout
    for port in (8081, 8765):
        assert re.findall(rf"(\S+):{port}\s", sockets) == ["127.0.0.1"]


def test_agent_deploys_and_a_visitor_sees_it_by_name(set_up: FreshServer) -> None:
    image = web_image(set_up.server, ACCOUNT, "shop:v1", "open for business\n")
    set_up.call("init_project", project="shop")
    wanted = {"project": "shop", "environment": "production", "image": image}
    # nobody is asked by this client, so production needs the plan that a person has seen
    digest = set_up.call("deploy", **wanted, dry_run=True)["plan"]["digest"]
    deployed = set_up.call("deploy", **wanted, plan_digest=digest)
    assert deployed["domain"] == f"shop.{DOMAIN}"
    assert set_up.page(deployed["domain"]) == "open for business\n"


def test_account_deploys_by_command_and_the_service_knows_of_it(set_up: FreshServer) -> None:
    image = web_image(set_up.server, ACCOUNT, "blog:v1", "first post\n")
    for argv in (["init", "blog"], ["deploy", "blog", "--image", image]):
        set_up.server.run_as(ACCOUNT, ["codeb", *argv])
    assert set_up.page(f"staging.blog.{DOMAIN}") == "first post\n"
    listed = set_up.call("list_projects")["projects"]
    assert {each["name"] for each in listed} >= {"blog"}


def test_service_builds_a_folder_although_it_is_confined(set_up: FreshServer) -> None:
    source = f"{HOME}/source"
    command = 'CMD ["sh", "-c", "exec httpd -f -p $PORT -h /www"]'
    containerfile = f"FROM localhost/busybox\nCOPY www /www\nSTOPSIGNAL SIGKILL\n{command}\n"
    server = set_up.server
    server.write(f"{source}/Containerfile", containerfile, owner=ACCOUNT)
    server.write(f"{source}/www/index.html", "built here\n", owner=ACCOUNT)
    set_up.call("init_project", project="built")
    deployed = set_up.call("deploy", project="built", source=source)
    assert set_up.page(deployed["domain"]) == "built here\n"


def test_timer_removes_a_preview_whose_time_is_over(set_up: FreshServer) -> None:
    server = set_up.server
    image = web_image(server, ACCOUNT, "shown:v1", "for now\n")
    for argv in (["init", "shown"], ["deploy", "shown", "--env", "pr-7", "--image", image]):
        server.run_as(ACCOUNT, ["codeb", *argv])
    assert set_up.page(f"pr-7.shown.{DOMAIN}") == "for now\n"
    over = "import sqlite3, sys; registry = sqlite3.connect(sys.argv[1]); registry.execute("
    over += "\"UPDATE environments SET expires_at = '2000-01-01T00:00:00+00:00'"
    over += " WHERE name = 'pr-7'\"); registry.commit()"
    registry = f"{HOME}/.local/state/codeb/registry.db"
    server.run_as(ACCOUNT, [set_up.product.python, "-c", over, registry])
    timer = server.run(["systemctl", "show", "--property=Triggers", "codeb-previews.timer"]).stdout
    assert timer == "Triggers=codeb-previews.service\n"
    server.run(["systemctl", "start", "codeb-previews.service"])
    assert "no previews" in server.run_as(ACCOUNT, ["codeb", "preview", "list"]).stdout


def test_reboot_leaves_everything_right(set_up: FreshServer) -> None:
    set_up.server.reboot()
    _until(lambda: not set_up.wrong())
    _until(lambda: _serves(set_up, f"shop.{DOMAIN}", "open for business\n"))


def test_two_set_ups_at_once_do_not_meet(set_up: FreshServer) -> None:
    holder = "import fcntl, time; f = open('/run/codeb-server-setup.lock', 'a'); "
    holder += "fcntl.flock(f, fcntl.LOCK_EX); open('/run/held', 'w'); time.sleep(300)"
    server = set_up.server
    server.run(["rm", "--force", "/home/codeb/.local/state/codeb/token", "/usr/local/bin/codeb"])
    server.run(["systemd-run", "--unit=holder", set_up.product.python, "-c", holder])
    _until(lambda: server.path_inside("/run/held").exists())
    ended = set_up.setup("--yes", "--json", check=False)
    assert (ended.returncode, set_up.error(ended)["code"]) == (3, "locked")
    server.run(["systemctl", "kill", "--signal=KILL", "holder"])
    _until(lambda: _state(server, "holder") != "active")
    set_up.setup("--yes")
    assert set_up.planned() == []


@pytest.mark.parametrize(
    ("damage", "part", "mended_by"),
    [
        (["loginctl", "disable-linger", ACCOUNT], "account", "loginctl enable-linger codeb"),
        (
            ["sed", "-i", "/^codeb:/d", "/etc/subuid"],
            "account",
            "usermod --add-subuids",
        ),
        (["systemctl", "disable", "--now", "pdns"], "powerdns", "systemctl enable pdns"),
        (["chmod", "666", "/run/codeb-caddy/admin.sock"], "caddy", "codeb-caddy.service"),
        (["systemctl", "stop", "codeb-previews.timer"], "codeb", "codeb-previews.timer"),
        (["systemctl", "stop", "codeb"], "codeb", "systemctl restart codeb.service"),
        (["sed", "-i", "s/^api-key=.*/api-key=other/", PDNS_CONFIG], "powerdns", "server setup"),
        (["pdnsutil", "delete-zone", DOMAIN], "zone", "codeb server setup"),
        (["chmod", "644", CONFIG], "codeb", "codeb server setup"),
        (["rm", "/usr/local/lib/codeb/caddy"], "caddy", "codeb server setup"),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, list) else None,
)
def test_damage_is_named_and_the_command_that_is_told_mends_it(
    set_up: FreshServer, damage: list[str], part: str, mended_by: str
) -> None:
    set_up.server.run(damage)
    wrong = set_up.wrong()
    assert mended_by in wrong[part]["mend"], wrong
    for _ in range(3):
        for each in wrong.values():
            set_up.server.run(["sh", "-c", _confirmed(each["mend"])])
        wrong = set_up.wrong()
        if not wrong:
            return
    pytest.fail(f"still wrong: {wrong}")


def test_owners_lines_in_the_settings_stay(set_up: FreshServer) -> None:
    server = set_up.server
    server.run(["sh", "-c", f"echo '# mine\nkeep_images = 7' >> {CONFIG}"])
    # the file is right, and the service has not read it yet
    assert set_up.planned() == ["StartUnit"]
    set_up.codeb("server", "setup", "--domain", "other.test", "--yes")
    config = server.read(CONFIG)
    assert "# mine\nkeep_images = 7" in config
    assert 'base_domain = "other.test"' in config
    set_up.setup("--yes")


def _serves(fresh: FreshServer, name: str, page: str) -> bool:
    try:
        return fresh.page(name) == page
    except Exception:  # noqa: BLE001 - asked again until the time is over
        return False


def _confirmed(command: str) -> str:
    return f"{command} --yes" if command == "codeb server setup" else command


def _planned_anew(fresh: FreshServer) -> str:
    return fresh.setup("--plan", "--json").stdout


def _error_of(text: str) -> str:
    return text.partition("error:")[2]


def _state(server: Server, unit: str) -> str:
    return server.run(["systemctl", "is-active", unit], check=False).stdout.strip()


def _until(condition: object, seconds: float = 60) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)  # the interval of the poll

"""What a server is to be, and what is missing of it: pure."""

from dataclasses import replace
from typing import Any

import pytest

from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.names import DomainName
from codeb_mcp.domain.server import (
    Account,
    Choices,
    Found,
    FoundAccount,
    FoundFile,
    FoundUnit,
    Listener,
    OwnersNameServer,
    Permissions,
    PortClaim,
    Survey,
    System,
    Wanted,
)
from codeb_mcp.errors import CodebError, HostNotReady, InvalidRequest, Refused
from codeb_mcp.planning.server_advice import advice
from codeb_mcp.planning.server_check import examine
from codeb_mcp.planning.server_conflicts import in_the_way
from codeb_mcp.planning.server_files import HEADER, settings_text
from codeb_mcp.planning.server_setup import SetupStep, StartUnit, plan_server, setup_sentence
from codeb_mcp.planning.server_wanted import wanted_server
from tests.fakes.server import fresh_survey

CHOICES = Choices(domain=DomainName("example.com"))
NOTHING = Found(frozenset(), {}, {}, {}, None)
ROOT_FILE = Permissions(0o644, "root", "root")


def wanted(survey: Survey | None = None, **choices: Any) -> Wanted:
    return wanted_server(replace(CHOICES, **choices), survey or fresh_survey(), Secret("new-key"))


def complete(server: Wanted) -> Found:
    """A server on which all that is wanted is there, each unit younger than its files."""
    files = {file.path: FoundFile(file.permissions, 1.0, file.text) for file in server.files}
    folders = {each.path: FoundFile(each.permissions, 1.0) for each in server.folders}
    copies = {
        copy.path: FoundFile(Permissions(0o755, "root", "root"), 1.0, digest=copy.digest)
        for copy in server.copies
    }
    sockets = {
        unit.socket.path: FoundFile(unit.socket.permissions, 2.0)
        for unit in server.units
        if unit.socket
    }
    return Found(
        packages=frozenset(server.packages),
        paths={**files, **folders, **copies, **sockets},
        links=dict(server.links),
        units={unit: FoundUnit(True, True, since=2.0) for unit in server.units},
        program_version=None,
        database=True,
        api="answers",
        zone=True,
    )


def set_up_survey() -> Survey:
    account = FoundAccount(Account("codeb", 1000, "/home/codeb"), True, True, True)
    return replace(fresh_survey(), account=account)


def steps(server: Wanted, found: Found, survey: Survey | None = None) -> tuple[SetupStep, ...]:
    return plan_server(server, survey or set_up_survey(), found).steps


def kinds(found: tuple[SetupStep, ...]) -> list[str]:
    return [type(step).__name__ for step in found]


def test_server_that_is_as_wanted_gives_an_empty_plan() -> None:
    server = wanted(set_up_survey())
    assert steps(server, complete(server)) == ()


def test_steps_come_after_what_they_need() -> None:
    order = kinds(steps(wanted(), NOTHING, fresh_survey()))
    first = [order.index(kind) for kind in dict.fromkeys(order)]
    assert first == sorted(first)
    assert list(dict.fromkeys(order)) == [
        *("InstallPackages", "CreateAccount", "EnableLinger", "CopyProgram", "MakeLink"),
        *("MakeFolder", "WriteFile", "CreateDatabase", "StartUnit", "CreateZone"),
    ]


@pytest.mark.parametrize("damage", ["text", "mode", "gone"])
def test_file_that_differs_is_written_and_its_unit_started_anew(damage: str) -> None:
    server = wanted(set_up_survey())
    found = complete(server)
    path = "/etc/systemd/system/codeb.service"
    paths = dict(found.paths)
    there = paths.pop(path)
    if damage == "text":
        paths[path] = replace(there, text=f"{HEADER}\n[Service]\n")
    if damage == "mode":
        paths[path] = replace(there, permissions=replace(there.permissions, mode=0o666))
    assert kinds(steps(server, replace(found, paths=paths))) == ["WriteFile", "StartUnit"]


def test_unit_that_is_older_than_a_file_it_read_is_started_anew() -> None:
    server = wanted(set_up_survey())
    found = complete(server)
    for unit in server.units:
        for path in unit.files:
            newer = {**found.paths, path: replace(found.paths[path], changed_at=3.0)}
            assert steps(server, replace(found, paths=newer)) == (StartUnit(unit),)


@pytest.mark.parametrize(
    "there",
    [
        FoundUnit(enabled=False, active=True, since=2.0),
        FoundUnit(enabled=True, active=False, since=2.0),
        FoundUnit(enabled=True, active=True, stale=True, since=2.0),
    ],
)
def test_unit_that_does_not_run_or_would_not_at_boot_is_started(there: FoundUnit) -> None:
    server = wanted(set_up_survey())
    found = complete(server)
    for unit in server.units:
        units = {**found.units, unit: there}
        assert steps(server, replace(found, units=units)) == (StartUnit(unit),)


def test_name_server_that_refuses_the_key_is_started_anew() -> None:
    server = wanted(set_up_survey())
    found = replace(complete(server), api="refuses the key")
    assert [setup_sentence(step) for step in steps(server, found)] == [
        "start pdns.service, now and at boot"
    ]
    wrong = [part for part in examine(server, set_up_survey(), found) if not part.right]
    assert [(part.name, part.mend) for part in wrong] == [("powerdns", "codeb server setup")]


def test_file_of_somebody_else_is_not_overwritten() -> None:
    server = wanted(set_up_survey())
    found = complete(server)
    foreign = FoundFile(ROOT_FILE, 1.0, "[Unit]\nDescription=mine\n")
    paths = {**found.paths, "/etc/systemd/system/codeb.service": foreign}
    with pytest.raises(Refused) as refusal:
        steps(server, replace(found, paths=paths))
    assert refusal.value.code == "foreign_file"
    assert "mv /etc/systemd/system/codeb.service" in refusal.value.hint


DNS = PortClaim(53, "udp", "pdns.service", ("203.0.113.7",))
HTTP = PortClaim(80, "tcp", "codeb-caddy.service")


@pytest.mark.parametrize(
    ("claim", "listener", "blocked"),
    [
        (DNS, Listener("udp", "127.0.0.53", 53, "systemd-resolve", 1, "systemd-resolved"), False),
        (DNS, Listener("udp", "0.0.0.0", 53, "named", 1, "named.service"), True),
        (DNS, Listener("udp", "::", 53, "dnsmasq", 1, "dnsmasq.service"), True),
        (DNS, Listener("udp", "203.0.113.7", 53, "named", 1, "named.service"), True),
        (DNS, Listener("udp", "0.0.0.0", 53, "pdns_server", 1, "pdns.service"), False),
        (DNS, Listener("tcp", "0.0.0.0", 53, "named", 1, "named.service"), False),
        (HTTP, Listener("tcp", "127.0.0.1", 80, "nginx", 1, "nginx.service"), True),
        (HTTP, Listener("tcp", "::", 80, "caddy", 1, "caddy.service"), True),
        (HTTP, Listener("tcp", "::", 80, "caddy", 1, "codeb-caddy.service"), False),
        (HTTP, Listener("tcp", "::", 8080, "nginx", 1, "nginx.service"), False),
    ],
)
def test_who_is_in_the_way(claim: PortClaim, listener: Listener, blocked: bool) -> None:
    assert in_the_way(claim, listener) is blocked


@pytest.mark.parametrize(
    ("listener", "said", "hint"),
    [
        (
            Listener("tcp", "0.0.0.0", 80, "nginx", 7, "nginx.service"),
            "nginx (nginx.service, process 7) holds port 80/tcp on 0.0.0.0",
            "systemctl disable --now nginx.service",
        ),
        (
            Listener("tcp", "::", 443, "caddy", 7, "caddy.service"),
            "caddy (caddy.service, process 7) holds port 443/tcp",
            "--caddy-admin",
        ),
        (
            Listener("udp", "0.0.0.0", 53, "named", 7, "named.service"),
            "named (named.service, process 7) holds port 53/udp",
            "--dns none",
        ),
        (
            Listener("udp", "0.0.0.0", 53, "systemd-resolve", 7, "systemd-resolved.service"),
            "holds port 53/udp",
            "DNSStubListenerExtra",
        ),
        (Listener("tcp", "0.0.0.0", 80), "another program holds port 80/tcp", "ss -lntup"),
    ],
)
def test_stranger_on_a_port_is_named_with_what_to_do(
    listener: Listener, said: str, hint: str
) -> None:
    survey = replace(set_up_survey(), listeners=(listener,))
    server = wanted(survey)
    with pytest.raises(Refused) as refusal:
        plan_server(server, survey, complete(server))
    assert refusal.value.code == "port_held"
    assert said in refusal.value.message
    assert hint in refusal.value.hint


def test_caddy_of_the_owners_is_used_where_it_is_named() -> None:
    held = (Listener("tcp", "::", 80, "caddy", 7, "caddy.service"),)
    survey = replace(set_up_survey(), listeners=held)
    server = wanted(survey, caddy_admin="http://127.0.0.1:2019")
    assert plan_server(server, survey, complete(server)).steps == ()
    assert not [file for file in server.files if "caddy" in file.path]
    too_old = replace(complete(server), caddy_problem="Caddy 2.6.2 is older; next: upgrade Caddy")
    wrong = [part for part in examine(server, survey, too_old) if not part.right]
    assert [(part.name, part.mend) for part in wrong] == [("caddy", "upgrade Caddy")]


def test_powerdns_that_its_owner_set_up_without_an_api_is_left_alone() -> None:
    owners = OwnersNameServer("/etc/powerdns/pdns.d/mine.conf")
    survey = replace(set_up_survey(), owners_name_server=owners)
    with pytest.raises(Refused) as refusal:
        wanted(survey)
    assert refusal.value.code == "powerdns_configured"
    assert "mine.conf" in refusal.value.message
    assert wanted(survey, dns="none").name_server is None


@pytest.mark.parametrize(("free", "missing"), [(1_900_000_000, True), (400_000_000, False)])
def test_full_disk_is_told_before_anything_is_done(free: int, missing: bool) -> None:
    survey = replace(set_up_survey(), free_bytes=free)
    server = wanted(survey)
    with pytest.raises(HostNotReady) as error:
        plan_server(server, survey, NOTHING if missing else complete(server))
    assert error.value.code == "disk_full"


@pytest.mark.parametrize(
    ("system", "works"),
    [
        (System("debian", "13", "Debian 13", systemd=True), True),
        (System("ubuntu", "24.04", "Ubuntu 24.04", systemd=True), True),
        (System("ubuntu", "26.04", "Ubuntu 26.04", systemd=True), True),
        (System("debian", "12", "Debian 12", systemd=True), False),
        (System("ubuntu", "22.04", "Ubuntu 22.04", systemd=True), False),
        (System("fedora", "42", "Fedora 42", systemd=True), False),
        (System("debian", "", "Debian sid", systemd=True), False),
        (System("debian", "13", "Debian 13", systemd=False), False),
    ],
)
def test_system_that_is_not_supported_is_refused(system: System, works: bool) -> None:
    survey = replace(fresh_survey(), system=system)
    if works:
        assert wanted(survey).account.name == "codeb"
    else:
        with pytest.raises(CodebError) as refusal:
            wanted(survey)
        assert refusal.value.code in ("unsupported_system", "systemd_missing")


def test_addresses_are_the_public_ones_of_the_interfaces() -> None:
    several = ("10.0.0.5", "1.1.1.1", "1.0.0.1", "fd00::5", "2606:4700::1111")
    survey = replace(fresh_survey(), addresses=several)
    assert wanted(survey).addresses == ("1.1.1.1", "2606:4700::1111")
    with pytest.raises(InvalidRequest) as unknown:
        wanted(replace(fresh_survey(), addresses=("10.0.0.5",)))
    assert unknown.value.code == "address_unknown"


def test_name_server_answers_at_the_interfaces_although_the_public_address_is_elsewhere() -> None:
    survey = replace(fresh_survey(), addresses=("10.0.0.5",))
    server = wanted(survey, addresses=("203.0.113.7",))
    (config,) = [file for file in server.files if "powerdns" in file.path]
    assert "local-address=10.0.0.5\n" in config.text
    assert server.name_server
    assert server.name_server.addresses == ("203.0.113.7",)


@pytest.mark.parametrize("address", ["no address", "1.2.3", "", "1.2.3.4/24"])
def test_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        wanted(addresses=(address,))
    assert refusal.value.code == "invalid_address"


def test_what_was_chosen_before_is_kept() -> None:
    config = (
        'base_domain = "kept.example"\naddresses = ["203.0.113.7"]\ntls = "off"\n'
        'dns = "none"\nkeep_images = 9\n'
    )
    server = wanted_server(Choices(), replace(set_up_survey(), config=config), Secret("new"))
    assert (server.domain, server.addresses, server.tls) == (
        "kept.example",
        ("203.0.113.7",),
        "off",
    )
    assert server.name_server is None
    settings = server.files[-1].text
    assert "keep_images = 9\n" in settings


def test_settings_keep_the_lines_that_the_owner_wrote() -> None:
    before = "# mine\nkeep_images = 7\nbase_domain = 'old.example'  # the old one\n"
    after = settings_text(before, {"base_domain": "new.example", "http_port": 80})
    assert after == '# mine\nkeep_images = 7\nbase_domain = "new.example"\nhttp_port = 80\n'
    assert settings_text(after, {"base_domain": "new.example", "http_port": 80}) == after


def test_key_is_in_no_sentence_nor_in_what_is_printed_of_the_plan() -> None:
    plan = plan_server(wanted(), fresh_survey(), NOTHING)
    assert "new-key" not in repr(plan) + "".join(map(setup_sentence, plan.steps))


@pytest.mark.parametrize(
    ("firewall", "command"),
    [
        ("ufw", "ufw allow 53/tcp && ufw allow 53/udp && ufw allow 80/tcp && ufw allow 443/tcp"),
        ("firewalld", "firewall-cmd --permanent --add-port=53/tcp"),
        ("", "let in 22/tcp and 53/tcp, 53/udp, 80/tcp, 443/tcp, 443/udp"),
    ],
)
def test_advice_names_the_ports_in_the_words_of_the_firewall(firewall: Any, command: str) -> None:
    survey = replace(fresh_survey(), firewall=firewall)
    assert command in advice(wanted(survey), survey)[0]


def test_advice_without_a_name_server_is_a_wildcard_record() -> None:
    lines = advice(wanted(dns="none"), fresh_survey())
    assert "53" not in lines[0]
    assert "*.example.com" in lines[1]


def test_check_of_a_complete_server_finds_every_part_right() -> None:
    survey = set_up_survey()
    server = wanted(survey)
    parts = examine(server, survey, complete(server))
    assert all(part.right and not part.mend for part in parts)
    assert {"packages", "account", "podman", "caddy", "powerdns", "zone", "codeb"} <= {
        part.name for part in parts
    }


@pytest.mark.parametrize(
    ("change", "name", "mend"),
    [
        ({"bridge_down": True}, "bridge", "ip link delete podman0"),
        ({"clock_right": False}, "clock", "timedatectl set-ntp true"),
        ({"free_bytes": 1_000}, "disk", "apt-get clean"),
    ],
)
def test_check_names_what_is_wrong_with_the_machine(
    change: dict[str, Any], name: str, mend: str
) -> None:
    survey = replace(set_up_survey(), **change)
    server = wanted(survey)
    wrong = [part for part in examine(server, survey, complete(server)) if not part.right]
    assert [part.name for part in wrong] == [name]
    assert mend in wrong[0].mend

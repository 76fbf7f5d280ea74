"""Deploys over MCP on real systems: on a server under systemd, and by Podman alone."""

import json
import time
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype
import httpx
import pytest

from benchmarks.load import Target, traffic
from tests.system.lab import Server

from .live import live_image
from .sites import EmbeddedSite, LabSite, Site

DEPLOYS_UNDER_LOAD = 10


async def test_deploy_is_served_under_its_domain_and_the_same_again_changes_nothing(
    site: Site,
) -> None:
    image = site.image("first:v1", page="hello from v1\n")
    async with site.session() as mcp:
        await mcp.call("init_project", project="first", health_check="/cgi-bin/health")
        planned = await mcp.call("deploy", project="first", image=image, dry_run=True)
        assert planned["changed"] is False
        assert len(planned["plan"]["steps"]) >= 6
        digest = planned["plan"]["digest"]
        deployed = await mcp.call("deploy", project="first", image=image, plan_digest=digest)
        assert (deployed["release"], deployed["version"]) == (1, "v1")
        assert deployed["domain"] == f"staging.first.{site.base_domain}"
        assert (await site.get(deployed["domain"])).text == "hello from v1\n"
        before = site.snapshot()
        again = await mcp.call("deploy", project="first", image=image)
        assert (again["changed"], again["plan"]["steps"]) == (False, [])
        assert site.snapshot() == before
        status = await mcp.call("get_status", project="first")
        assert status["environments"][0]["status"] == "running"
        logs = await mcp.call("read_logs", project="first", lines=5)
        assert any("response:200" in line for line in logs["lines"])


async def test_production_staging_and_preview_have_domains_and_ports_of_their_own(
    site: Site,
) -> None:
    image = site.image("trio:v1", page="three places\n")
    async with site.session() as mcp:
        await mcp.call("init_project", project="trio")
        for environment, host, ports in (
            ("production", "trio", range(3000, 3100)),
            ("staging", "staging.trio", range(3100, 3200)),
            ("pr-7", "pr-7.trio", range(3200, 3300)),
        ):
            deployed = await mcp.call(
                "deploy", project="trio", environment=environment, image=image
            )
            assert deployed["domain"] == f"{host}.{site.base_domain}"
            assert (await site.get(deployed["domain"])).text == "three places\n"
            status = await mcp.call("get_status", project="trio", environment=environment)
            assert status["environments"][0]["ports"]["app"] in ports


@pytest.mark.parametrize(
    ("behaviour", "containerfile", "code", "said"),
    [
        ("exits", ['CMD ["sh", "-c", "echo cannot start; exit 3"]'], "exited", "cannot start"),
        (
            "wrong-port",
            ['CMD ["sh", "-c", "exec httpd -f -p 9999 -h /www"]'],
            "unhealthy",
            "it listens on 9999 inside, not on 8080",
        ),
        ("answers-500", ["ENV HEALTH_STATUS=500"], "unhealthy", "HTTP 500"),
    ],
)
async def test_release_that_is_not_healthy_gets_no_traffic_and_leaves_nothing(
    site: Site, behaviour: str, containerfile: list[str], code: str, said: str
) -> None:
    bad = site.image(f"{behaviour}:bad", containerfile=containerfile)
    good = site.image(f"{behaviour}:good", page="still here\n")
    project = f"bad-{behaviour}"
    async with site.session() as mcp:
        await mcp.call("init_project", project=project, health_check="/cgi-bin/health")
        before = site.snapshot()
        begin = time.monotonic()
        first = await mcp.ask("deploy", project=project, image=bad)
        assert time.monotonic() - begin < 30
        assert f"(error {code}" in first.error
        assert said in first.error
        assert "nothing was left behind" in first.error
        assert site.snapshot() == before

        deployed = await mcp.call("deploy", project=project, image=good)
        before = site.snapshot()
        later = await mcp.ask("deploy", project=project, image=bad)
        assert f"(error {code}" in later.error
        assert "still serves" in later.error
        assert site.snapshot() == before
        assert (await site.get(deployed["domain"])).text == "still here\n"
        kept = await mcp.call("deploy", project=project, image=good)
        assert kept["plan"]["steps"] == []


async def test_image_that_cannot_be_pulled_is_refused_and_leaves_nothing(site: Site) -> None:
    async with site.session() as mcp:
        await mcp.call("init_project", project="nowhere")
        before = site.snapshot()
        begin = time.monotonic()
        for image in (
            "localhost/no-such-image:v1",
            "127.0.0.1:5000/no-such-image:v1",
            "127.0.0.1:1/no-registry:v1",
        ):
            answer = await mcp.ask("deploy", project="nowhere", image=image)
            assert image in answer.error
            assert "next: " in answer.error
        assert time.monotonic() - begin < 60
        assert site.snapshot() == before


async def test_secrets_of_the_environment_are_masked_in_the_failed_releases_log(
    site: Site,
) -> None:
    leaks = ['CMD ["sh", "-c", "echo starting with password=hunter2secret; exit 1"]']
    image = site.image("leaky:v1", containerfile=leaks)
    async with site.session() as mcp:
        await mcp.call("init_project", project="leaky")
        answer = await mcp.ask("deploy", project="leaky", image=image)
        assert "starting with password=" in answer.error
        assert "hunter2secret" not in answer.error


async def test_rollback_puts_the_release_before_back(site: Site) -> None:
    first, second = (site.image(f"undo:v{n}", page=f"release {n}\n") for n in (1, 2))
    async with site.session() as mcp:
        await mcp.call("init_project", project="undo")
        await mcp.call("deploy", project="undo", image=first)
        deployed = await mcp.call("deploy", project="undo", image=second)
        back = await mcp.call("rollback", project="undo")
        assert (back["release"], back["version"]) == (3, "v1")
        assert (await site.get(deployed["domain"])).text == "release 1\n"
        await mcp.call("rollback", project="undo", to="2")
        assert (await site.get(deployed["domain"])).text == "release 2\n"


async def test_removed_environment_leaves_nothing_behind(site: Site) -> None:
    image = site.image("gone:v1", page="for a while\n")
    async with site.session() as mcp:
        await mcp.call("init_project", project="gone")
        before = site.snapshot()
        deployed = await mcp.call("deploy", project="gone", environment="pr-3", image=image)
        where = {"project": "gone", "environment": "pr-3"}
        planned = await mcp.call("remove_environment", **where)
        assert planned["removed"] is False
        assert (await site.get(deployed["domain"])).text == "for a while\n"
        digest = planned["plan"]["digest"]
        assert (await mcp.call("remove_environment", **where, plan_digest=digest))["removed"]
        assert site.snapshot() == before


@pytest.mark.timeout(600)
async def test_ten_deploys_under_load_lose_no_request(site: Site) -> None:
    images = [
        live_image(site, f"busy:v{number}", page=f"release {number}\n")
        for number in range(DEPLOYS_UNDER_LOAD + 1)
    ]
    async with site.session() as mcp:
        await mcp.call("init_project", project="busy")
        deployed = await mcp.call("deploy", project="busy", image=images[0])
        target = Target(site.url(), deployed["domain"])
        async with traffic(target, per_second=200) as seen:
            for image in images[1:]:
                deployed = await mcp.call("deploy", project="busy", image=image)
                assert deployed["changed"] is True
        assert (await site.get(deployed["domain"])).text == f"release {DEPLOYS_UNDER_LOAD}\n"
    assert seen.lost.total() == 0, seen.lost
    assert len(seen.answered) == 8, seen.answered
    assert seen.total > 1000


@pytest.mark.parametrize(
    ("system", "code", "hint"),
    [
        ("podman", "podman_down", "systemctl --user start podman.socket"),
        ("caddy", "caddy_down", "systemctl start caddy"),
        ("powerdns", "powerdns_down", "systemctl start pdns"),
    ],
)
async def test_system_that_is_down_is_named_within_ten_seconds_and_the_next_call_converges(
    lab_site: LabSite, system: str, code: str, hint: str
) -> None:
    image = lab_site.image(f"down-{system}:v1", page="back\n")
    async with lab_site.session() as mcp:
        await mcp.call("init_project", project=f"down-{system}")
        lab_site.stop_system(system)
        try:
            begin = time.monotonic()
            answer = await mcp.ask("deploy", project=f"down-{system}", image=image)
            assert time.monotonic() - begin < 10
        finally:
            lab_site.start_system(system)
        assert f"(error {code}" in answer.error
        assert hint in answer.error
        deployed = await mcp.call("deploy", project=f"down-{system}", image=image)
        assert (await lab_site.get(deployed["domain"])).text == "back\n"


async def test_domain_resolves_to_the_server(lab_site: LabSite) -> None:
    image = lab_site.image("named:v1", page="by name\n")
    async with lab_site.session() as mcp:
        await mcp.call("init_project", project="named")
        deployed = await mcp.call("deploy", project="named", image=image)
    query = dns.message.make_query(deployed["domain"], dns.rdatatype.A)
    answer = dns.query.udp(query, lab_site.powerdns.nameserver, timeout=5)
    assert [str(item) for rrset in answer.answer for item in rrset] == [lab_site.server.address]
    assert deployed["url"] == f"http://{deployed['domain']}/"


async def test_record_made_by_hand_is_answered(lab_site: LabSite) -> None:
    name = f"api.{lab_site.base_domain}"
    async with lab_site.session() as mcp:
        made = await mcp.call("create_dns", name=name, content="192.0.2.9", ttl=60)
        assert made["changed"] is True
        again = await mcp.call("create_dns", name=name, content="192.0.2.9", ttl=60)
        assert again["changed"] is False
    dig = ["dig", "+short", f"@{lab_site.powerdns.nameserver}", name]
    assert lab_site.server.run(dig).stdout.strip() == "192.0.2.9"


async def test_reboot_brings_the_live_release_back_by_itself(
    lab_site: LabSite, server: Server
) -> None:
    first = lab_site.image("survivor:v1", page="old\n")
    second = lab_site.image("survivor:v2", page="after the reboot\n")
    async with lab_site.session() as mcp:
        await mcp.call("init_project", project="survivor")
        await mcp.call("deploy", project="survivor", image=first)
        deployed = await mcp.call("deploy", project="survivor", image=second)
    server.reboot()
    await _until_served(lab_site, deployed["domain"], "after the reboot\n")
    async with lab_site.session() as mcp:
        again = await mcp.call("deploy", project="survivor", image=second)
        assert again["plan"]["steps"] == []


async def _until_served(site: Site, domain: str, page: str) -> None:
    """Wait until the page is there; the units of an account start a little after the boot."""
    deadline, last = time.monotonic() + 60, "never asked"
    while time.monotonic() < deadline:
        try:
            answer = await site.get(domain)
        except httpx.TransportError as error:
            last = str(error)
            continue
        if answer.text == page:
            return
        last = f"HTTP {answer.status_code}"
    raise AssertionError(f"{domain} did not come back: {last}")


def test_cli_deploys_a_folder_and_follows_its_plan(embedded: EmbeddedSite, tmp_path: Path) -> None:
    folder = tmp_path / "source"
    (folder / "www").mkdir(parents=True)
    (folder / "www" / "index.html").write_text("from a folder\n")
    command = 'CMD ["sh", "-c", "exec httpd -f -p $PORT -h /www"]'
    (folder / "Containerfile").write_text(
        f"FROM localhost/busybox\nCOPY www /www\nSTOPSIGNAL SIGKILL\n{command}\n"
    )
    embedded.codeb("init", "folder-app")
    arguments = ("deploy", "folder-app", "--env", "prod", "--source", str(folder), "--json")
    plan = json.loads(embedded.codeb(*arguments, "--plan"))
    digest = plan["plan"]["digest"]
    deployed = json.loads(embedded.codeb(*arguments, "--plan-digest", digest))
    assert deployed["url"] == f"http://folder-app.localhost:{embedded.http_port}/"
    listed = json.loads(embedded.codeb("list", "--json"))["projects"]
    (project,) = [each for each in listed if each["name"] == "folder-app"]
    assert project["environments"] == {"production": "running"}
    again = json.loads(embedded.codeb(*arguments))
    assert again["plan"]["steps"] == []

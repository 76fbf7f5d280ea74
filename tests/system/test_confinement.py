"""Volumes, networks, limits, one-off commands and jobs, on real systems."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from .sites import EmbeddedSite, LabSite, Site
from .sites.embedded import BIN

BUSYBOX = "/bin/busybox"


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for the condition, or fail."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.1)  # how often to look


async def deploy(site: Site, project: str, image: str, environment: str = "staging") -> str:
    """Deploy over MCP; gives the domain."""
    async with site.session() as mcp:
        where = {"project": project, "environment": environment}
        return str((await mcp.call("deploy", **where, image=image))["domain"])


def address_of(site: Site, container: str, network: str) -> str:
    """The container's address on its network."""
    found = json.loads(site.podman("inspect", container))[0]
    return str(found["NetworkSettings"]["Networks"][network]["IPAddress"])


def runs_of(site: Site, project: str) -> list[str]:
    """The containers of one-off commands that are there, whatever their state."""
    names = site.podman("ps", "--all", "--format", "{{.Names}}").split()
    return [name for name in names if name.startswith(f"codeb-{project}-") and "-run-" in name]


async def test_volume_keeps_its_data_over_deploys_and_a_removal_that_does_not_name_it(
    site: Site,
) -> None:
    first, second = (site.image(f"keeper:v{n}", page=f"release {n}\n") for n in (1, 2))
    site.codeb("init", "keeper")
    site.codeb("config", "set", "keeper", "volumes=data:/data")
    await deploy(site, "keeper", first)
    write = ("sh", "-c", "echo kept > /data/file")
    assert site.try_codeb("run", "keeper", "--", *write).code == 0
    await deploy(site, "keeper", second)
    read = ("run", "keeper", "--", "cat", "/data/file")
    assert site.codeb(*read) == "kept\n"
    async with site.session() as mcp:
        again = await mcp.call("deploy", project="keeper", image=second)
        assert again["plan"]["steps"] == []

    removal = ("remove", "keeper", "--env", "staging", "--json")
    planned = json.loads(site.codeb(*removal, "--plan"))
    assert "volume codeb-keeper-staging-data" in planned["kept"]
    site.codeb(*removal, "--yes")
    await deploy(site, "keeper", second)
    assert site.codeb(*read) == "kept\n"

    planned = json.loads(site.codeb(*removal, "--plan", "--volumes"))
    sentences = [step["sentence"] for step in planned["plan"]["steps"]]
    gone = "remove the volume codeb-keeper-staging-data with all the data in it"
    assert gone in sentences
    assert "remove the network codeb-keeper" in sentences
    site.codeb(*removal, "--yes", "--volumes")
    assert "codeb-keeper" not in site.podman("volume", "ls", "--format", "{{.Name}}")
    assert "codeb-keeper" not in site.podman("network", "ls", "--format", "{{.Name}}")


async def test_preview_s_volumes_go_with_it(site: Site) -> None:
    image = site.image("brief:v1")
    site.codeb("init", "brief")
    site.codeb("config", "set", "brief", "volumes=data:/data")
    await deploy(site, "brief", image, "pr-5")
    assert "codeb-brief-pr-5-data" in site.podman("volume", "ls", "--format", "{{.Name}}")
    site.codeb("remove", "brief", "--env", "pr-5", "--yes")
    assert "codeb-brief" not in site.podman("volume", "ls", "--format", "{{.Name}}")


async def test_one_project_s_containers_cannot_reach_another_s(site: Site) -> None:
    image = site.image("island:v1")
    for project in ("island-a", "island-b"):
        site.codeb("init", project)
        await deploy(site, project, image)
    place = address_of(site, "codeb-island-b-staging-blue", "codeb-island-b")
    knock = ("--", BUSYBOX, "nc", "-w", "3", place, "8080")
    assert site.try_codeb("run", "island-b", *knock).code == 0
    assert site.try_codeb("run", "island-a", *knock).code != 0
    port = json.loads(site.codeb("status", "island-b", "--json"))["environments"][0]["ports"]["app"]
    inside = ("--", BUSYBOX, "nc", "-w", "3", "127.0.0.1", str(port))
    assert site.try_codeb("run", "island-a", *inside).code != 0


async def test_one_off_command_has_the_variables_and_passes_input_output_and_exit_code(
    site: Site,
) -> None:
    image = site.image("once:v1", page="the release\n")
    site.codeb("init", "once")
    ended = site.try_codeb("run", "once", "--", "true")
    assert (ended.code, "nothing is live" in ended.err) == (2, True)
    site.try_codeb("env", "set", "once", "GREETING", stdin=b"good day")
    await deploy(site, "once", image)
    script = 'cat; cat /www/index.html; echo "$GREETING $PORT"; echo aside >&2; exit 7'
    ended = site.try_codeb("run", "once", "--", "sh", "-c", script, stdin=b"from outside\n")
    assert ended.code == 7, ended
    assert ended.out == "from outside\nthe release\ngood day 8080\n"
    assert "aside" in ended.err
    assert runs_of(site, "once") == []
    listed = site.podman("ps", "--format", "{{.Names}}").split()
    assert "codeb-once-staging-blue" in listed


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
async def test_one_off_command_that_is_told_to_end_leaves_nothing(
    embedded: EmbeddedSite, told: signal.Signals
) -> None:
    image = embedded.image(f"ended-{told}:v1")
    project = f"ended-{told}"
    embedded.codeb("init", project)
    await deploy(embedded, project, image)
    command = [str(BIN / "codeb"), "run", project, "--", "sh", "-c", "echo begun; cat; sleep 100"]
    with subprocess.Popen(  # noqa: ASYNC220 - nothing else runs in this loop
        command,
        env=dict(embedded.environment()),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        assert len(runs_of(embedded, project)) == 1
        os.kill(process.pid, told)
        assert process.wait(timeout=30) == 128 + told
    assert runs_of(embedded, project) == []


async def test_image_that_needs_a_capability_is_told_how_to_get_it(site: Site) -> None:
    script = "chown 101 /www || exit 1; exec httpd -f -p $PORT -h /www"
    becomes = [f'CMD ["sh", "-c", "/bin/busybox {script}"]']
    image = site.image("rooted:v1", page="rooted\n", containerfile=becomes)
    site.codeb("init", "rooted")
    async with site.session() as mcp:
        answer = await mcp.ask("deploy", project="rooted", image=image)
        assert "not permitted" in answer.error
        assert "codeb config set rooted caps=CHOWN,SETUID,SETGID" in answer.error
    site.codeb("config", "set", "rooted", "caps=CHOWN,SETUID,SETGID")
    domain = await deploy(site, "rooted", image)
    assert (await site.get(domain)).text == "rooted\n"


async def test_unit_asks_for_the_limits_and_drops_everything_else(lab_site: LabSite) -> None:
    # there are no controllers in the lab, so that a unit that asks for a limit cannot start
    image = lab_site.image("limited:v1")
    lab_site.codeb("init", "limited")
    domain = await deploy(lab_site, "limited", image)
    unit = f"{lab_site.user.home}/.config/containers/systemd/codeb-limited-staging-blue.container"
    text = lab_site.server.read(unit)
    lines = text.splitlines()
    for wanted in ("NoNewPrivileges=true", "DropCapability=all", "Network=codeb-limited"):
        assert wanted in lines
    (image_line,) = [line for line in lines if line.startswith("Image=")]
    assert len(image_line.removeprefix("Image=")) == 64
    published = [line for line in lines if line.startswith("PublishPort=")]
    assert all(line.startswith("PublishPort=127.0.0.1:") for line in published)
    assert (await lab_site.get(domain)).status_code == 200


async def test_job_runs_by_its_schedule_beside_whichever_release_is_live(
    lab_site: LabSite,
) -> None:
    first, second = (lab_site.image(f"timed:v{n}", page=f"release {n}\n") for n in (1, 2))
    lab_site.codeb("init", "timed")
    lab_site.codeb("config", "set", "timed", "volumes=data:/data")
    await deploy(lab_site, "timed", first)
    copy = ("sh", "-c", "cat /www/index.html > /data/seen")
    added = ("job", "add", "timed", "copy", "--schedule", "*:*:0/2", "--json", "--", *copy)
    (job,) = json.loads(lab_site.codeb(*added))["jobs"]
    assert (job["installed"], bool(job["next_run"])) == (True, True)
    read = ("run", "timed", "--", "cat", "/data/seen")
    until(lambda: lab_site.try_codeb(*read).out == "release 1\n")
    await deploy(lab_site, "timed", second)
    until(lambda: lab_site.try_codeb(*read).out == "release 2\n")
    async with lab_site.session() as mcp:
        again = await mcp.call("deploy", project="timed", image=second)
        assert again["plan"]["steps"] == []
    (job,) = json.loads(lab_site.codeb("job", "list", "timed", "--json"))["jobs"]
    assert job["exit_code"] in (0, None)  # None while it runs
    lab_site.codeb("job", "remove", "timed", "copy")
    timers = ["systemctl", "--user", "list-timers", "--all", "--plain"]
    assert "codeb-timed" not in lab_site.server.run_as(lab_site.user.name, timers).stdout


async def test_job_that_fails_is_told_and_goes_with_its_environment(lab_site: LabSite) -> None:
    image = lab_site.image("failing:v1")
    lab_site.codeb("init", "failing")
    await deploy(lab_site, "failing", image)
    before = lab_site.try_codeb(
        *("job", "add", "failing", "broken", "--schedule", "every full moon", "--", "false")
    )
    assert (before.code, "systemd-analyze calendar" in before.err) == (2, True)
    nightly = ("--schedule", "*-*-* 03:00", "--", "sh", "-c", "exit 5")
    lab_site.codeb("job", "add", "failing", "broken", *nightly)
    ended = lab_site.try_codeb("job", "run", "failing", "broken")
    assert (ended.code, ended.out) == (5, "broken: exit-code (exit 5)\n")
    lab_site.codeb("remove", "failing", "--env", "staging", "--yes")
    left = lab_site.server.run(
        ["find", f"{lab_site.user.home}/.config", "-name", "codeb-failing*"]
    ).stdout
    assert left == ""


def test_job_is_refused_where_nothing_keeps_time(embedded: EmbeddedSite) -> None:
    embedded.codeb("init", "timeless")
    image = embedded.image("timeless:v1")
    embedded.codeb("deploy", "timeless", "--image", image)
    ended = embedded.try_codeb(
        *("job", "add", "timeless", "nightly", "--schedule", "hourly", "--", "true")
    )
    assert (ended.code, "set runtime to quadlet" in ended.err) == (3, True)

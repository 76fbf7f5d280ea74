"""What hostile input, a full disk, a stranger or bad timing can do to a deploy: nothing lasting."""

import os
from pathlib import Path

import anyio
import pytest

from codeb_mcp.adapters.env_files import EnvFiles
from codeb_mcp.domain.names import EnvironmentName, ImageReference, ProjectName
from codeb_mcp.domain.project import EnvironmentKey, ProjectType, Slot
from codeb_mcp.errors import CodebError, DeployFailed, HostNotReady, InvalidRequest, Refused
from codeb_mcp.services.deployments import Deployments, DeployRequest, Progress
from codeb_mcp.services.logs import LogReading, LogsRequest
from codeb_mcp.services.projects import NewProject, Projects
from tests.fakes.containers import Application
from tests.fakes.systems import InMemoryHost

KEY = EnvironmentKey(ProjectName("shop"), EnvironmentName("staging"))
DISK_FULL = HostNotReady("the disk that holds the registry is full", code="disk_full")


@pytest.fixture
async def host(tmp_path: Path) -> InMemoryHost:
    made = InMemoryHost(tmp_path, addresses=("192.0.2.1",))
    await Projects(made.systems(), lambda: "abc").init(
        NewProject(KEY.project, ProjectType.IMAGE), "cli:me"
    )
    return made


async def deploy(host: InMemoryHost, source: str | Path, key: EnvironmentKey = KEY) -> int | None:
    named = source if isinstance(source, Path) else ImageReference(source)
    view = await Deployments(host.systems()).deploy(DeployRequest(key, named, "cli:me"))
    return view.release


def write_env(host: InMemoryHost, text: str) -> Path:
    path = host.folder / "env" / "shop-staging.env"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    return path


def write_log(host: InMemoryHost, lines: list[str], release: int = 1) -> None:
    path = host.folder / "logs" / "shop-staging" / f"r{release}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    when = "2026-01-01T00:00:00.000000000+00:00 stdout F"
    path.write_text("".join(f"{when} {line}\n" for line in lines))


async def test_disk_that_fills_up_during_a_deploy_leaves_nothing_running(
    host: InMemoryHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    await deploy(host, host.good_image("v1"))
    before = (await host.left_behind())["containers"]
    journal = host.registry.journal
    full = False

    async def filling(
        key: EnvironmentKey, release: int, step: str, state: str, *, after: str = ""
    ) -> None:
        nonlocal full
        full = full or step.startswith("check that")
        if full:
            raise DISK_FULL
        await journal(key, release, step, state, after=after)

    monkeypatch.setattr(host.registry, "journal", filling)
    with pytest.raises(HostNotReady, match="is full"):
        await deploy(host, host.good_image("v2"))
    assert (await host.left_behind())["containers"] == before
    assert await host.markers.slot(KEY) is Slot.BLUE


async def test_error_of_an_unhealthy_release_survives_an_env_file_that_breaks_meanwhile(
    host: InMemoryHost,
) -> None:
    path = write_env(host, "A=b\n")

    async def break_it(progress: Progress) -> None:
        if "wait until" in progress.message:
            path.chmod(0o644)

    request = DeployRequest(KEY, ImageReference(host.bad_image(Application.EXITS)), "cli:me")
    with pytest.raises(DeployFailed, match="stopped by itself"):
        await Deployments(host.systems()).deploy(request, break_it)
    (release,) = await host.registry.releases(KEY)
    assert release.status == "failed"


@pytest.mark.parametrize("command", ['sh -c "unbalanced', "it's", "trailing \\"])
async def test_start_command_that_is_no_command_line_is_refused_when_it_is_given(
    host: InMemoryHost, command: str
) -> None:
    with pytest.raises(InvalidRequest, match="start command"):
        NewProject(ProjectName("other"), ProjectType.IMAGE, start_command=command)
    projects = Projects(host.systems(), lambda: "abc")
    document = await projects.document()
    document["projects"]["shop"]["config"]["startCommand"] = command
    with pytest.raises(InvalidRequest, match="startCommand"):
        await projects.import_document(document, "cli:me", replace=True)


async def test_importing_an_older_export_does_not_move_the_traffic_to_a_slot_that_is_empty(
    host: InMemoryHost,
) -> None:
    projects = Projects(host.systems(), lambda: "abc")
    await deploy(host, host.good_image("v1"))
    await deploy(host, host.good_image("v2"))
    exported = await projects.document()
    await deploy(host, host.good_image("v3"))
    await projects.import_document(exported, "cli:me", replace=True)
    seen = (await host.runtime.observe(KEY)).get(await host.markers.slot(KEY))
    assert seen is not None
    assert seen.running


async def test_import_is_refused_while_one_of_its_environments_is_being_changed(
    host: InMemoryHost,
) -> None:
    projects = Projects(host.systems(), lambda: "abc")
    await deploy(host, host.good_image("v1"))
    exported = await projects.document()
    async with host.systems().locks.hold(KEY, "mcp:claude", "deploy localhost/app:v2"):
        with pytest.raises(Refused, match="mcp:claude"):
            await projects.import_document(exported, "cli:me", replace=True)


async def test_ten_environments_deployed_at_once_all_get_a_port_of_their_own(
    host: InMemoryHost,
) -> None:
    image = host.good_image()
    keys = [EnvironmentKey(KEY.project, EnvironmentName(f"pr-{n}")) for n in range(1, 11)]
    async with anyio.create_task_group() as group:
        for key in keys:
            group.start_soon(deploy, host, image, key)
    ports = [each.port for each in await host.registry.ports()]
    assert len(set(ports)) == len(keys)


async def test_secrets_in_the_output_of_a_failed_build_are_masked(host: InMemoryHost) -> None:
    write_env(host, "TOKEN_OF_OURS=abcdef-secret\n")
    folder = host.folder / "source"
    folder.mkdir()
    (folder / "Containerfile").write_text("FROM scratch\n")
    host.images.unbuildable[folder] = ("password=hunter2secret", "fetch with abcdef-secret")
    with pytest.raises(DeployFailed) as caught:
        await deploy(host, folder)
    assert caught.value.log_tail == ("password=•••", "fetch with •••")


async def test_requests_that_a_failed_release_still_answers_are_let_finish(
    host: InMemoryHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    await deploy(host, host.good_image("v1"))
    host.proxy.down = True
    host.proxy.in_flight[3400] = 1
    asked: list[int] = []

    async def in_flight(port: int) -> int:
        asked.append(port)
        if len(asked) > 3:
            host.proxy.in_flight[port] = 0
        assert "codeb-shop-staging-green" in host.runtime.specs
        return host.proxy.in_flight.get(port, 0)

    monkeypatch.setattr(host.proxy, "requests_in_flight", in_flight)
    with pytest.raises(DeployFailed):
        await deploy(host, host.good_image("v2"))
    assert len(asked) > 3
    assert "codeb-shop-staging-green" not in host.runtime.specs


async def test_strangers_container_in_the_slot_is_named_and_left_alone(host: InMemoryHost) -> None:
    before = await host.left_behind()
    host.runtime.foreign.add("codeb-shop-staging-blue")
    with pytest.raises(Refused) as caught:
        await deploy(host, host.good_image())
    assert "could not undo" not in str(caught.value)
    assert await host.left_behind() == before


async def test_env_file_that_is_not_a_file_is_refused_at_once(tmp_path: Path) -> None:
    path = Path(EnvFiles(tmp_path).path(KEY))
    os.mkfifo(path, 0o600)
    writer = os.open(path, os.O_RDWR)  # whoever reads after all gets an end when this is closed
    try:
        with anyio.fail_after(5), pytest.raises(InvalidRequest, match="is not a file"):
            await anyio.to_thread.run_sync(EnvFiles(tmp_path).read, KEY, abandon_on_cancel=True)
    finally:
        os.close(writer)
    path.unlink()
    path.mkdir(mode=0o700)
    with pytest.raises(InvalidRequest, match="is not a file"):
        EnvFiles(tmp_path).read(KEY)


async def test_private_key_that_spans_lines_is_masked_to_its_end(host: InMemoryHost) -> None:
    await deploy(host, host.good_image())
    write_log(
        host,
        [
            "loading -----BEGIN RSA PRIVATE KEY-----",
            "MIIEpAIBAAKCAQEAxyzsecretsecret",
            "abcdefsecretsecret==",
            "-----END RSA PRIVATE KEY----- done",
            "listening",
        ],
    )
    view = await LogReading(host.systems()).read(LogsRequest(KEY))
    text = "\n".join(view.lines)
    assert "secretsecret" not in text
    assert "loading" in text
    assert "listening" in text


async def test_secret_at_the_place_where_a_long_line_is_cut_does_not_show_its_beginning(
    host: InMemoryHost,
) -> None:
    await deploy(host, host.good_image())
    secret = "correct-horse-battery-staple"
    write_env(host, f"KEY_OF_OURS={secret}\n")
    for before in range(1960, 2010):
        write_log(host, ["x" * before + secret + "y" * 100])
        view = await LogReading(host.systems()).read(LogsRequest(KEY))
        assert "correct" not in view.lines[0]


async def test_value_in_quotes_is_masked_without_them_too(host: InMemoryHost) -> None:
    await deploy(host, host.good_image())
    write_env(host, 'KEY_OF_OURS="correct-horse"\n')
    write_log(host, ["using correct-horse"])
    view = await LogReading(host.systems()).read(LogsRequest(KEY))
    assert view.lines[0].endswith("using •••")


async def test_lock_folder_that_cannot_be_used_is_named(host: InMemoryHost) -> None:
    (host.folder / "locks").write_text("in the way")
    with pytest.raises(CodebError) as caught:
        await deploy(host, host.good_image())
    assert "locks" in str(caught.value)
    assert caught.value.hint


async def test_nul_in_an_env_file_is_refused_without_showing_the_value(host: InMemoryHost) -> None:
    write_env(host, "KEY_OF_OURS=correct\0horse\n")
    with pytest.raises(InvalidRequest, match="line 1 holds a NUL") as caught:
        await deploy(host, host.good_image())
    assert "correct\0horse" not in str(caught.value)
    assert host.runtime.starts == []


async def test_folder_with_a_name_too_long_to_exist_is_refused(host: InMemoryHost) -> None:
    with pytest.raises(InvalidRequest, match="cannot be read"):
        await deploy(host, host.folder / ("x" * 300))

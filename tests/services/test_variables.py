"""Variables and secrets: set, unset, imported, listed by name, never shown."""

from pathlib import Path

import pytest

from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.names import EnvironmentName, ImageReference, ProjectName, VariableName
from codeb_mcp.domain.project import EnvironmentKey, ProjectType
from codeb_mcp.errors import InvalidRequest, Locked
from codeb_mcp.services.deployments import Deployments, DeployRequest
from codeb_mcp.services.projects import NewProject, Projects
from codeb_mcp.services.variables import Variables
from codeb_mcp.services.views import VariablesView
from tests.fakes.systems import InMemoryHost

KEY = EnvironmentKey(ProjectName("shop"), EnvironmentName("staging"))
URL = VariableName("DATABASE_URL")


@pytest.fixture
async def host(tmp_path: Path) -> InMemoryHost:
    made = InMemoryHost(tmp_path)
    new = NewProject(KEY.project, ProjectType.IMAGE, env_vars=(URL,))
    await Projects(made.systems(), lambda: "abc").init(new, "cli:me")
    return made


@pytest.fixture
def file(host: InMemoryHost) -> Path:
    return host.folder / "env" / "shop-staging.env"


async def change(host: InMemoryHost, **changes: object) -> VariablesView:
    return await Variables(host.systems()).change(KEY, "cli:me", **changes)  # type: ignore[arg-type]  # the keywords of change


async def test_set_variable_is_in_a_file_for_its_owner_only(host: InMemoryHost, file: Path) -> None:
    view = await change(host, values={URL: Secret("postgres://u:p@db/x")})
    assert view.changed == ["DATABASE_URL"]
    assert file.read_text() == "DATABASE_URL=postgres://u:p@db/x\n"
    assert file.stat().st_mode & 0o777 == 0o600


async def test_value_is_in_no_answer_and_not_in_the_audit(host: InMemoryHost) -> None:
    view = await change(host, values={URL: Secret("hunter2secret")})
    (entry, *_) = await host.registry.audit_trail()
    assert "hunter2secret" not in view.model_dump_json()
    assert "hunter2secret" not in repr(entry)
    assert entry.arguments["names"] == "DATABASE_URL"


async def test_required_variable_that_is_missing_is_listed_as_such(host: InMemoryHost) -> None:
    (listed,) = (await change(host)).variables
    assert (listed.name, listed.required, listed.set) == ("DATABASE_URL", True, False)


async def test_other_lines_and_comments_stay(host: InMemoryHost, file: Path) -> None:
    file.parent.mkdir()
    file.write_text("# for the shop\nA=1\nB=2\n")
    file.chmod(0o600)
    await change(host, values={VariableName("A"): Secret("3")}, unset=(VariableName("B"),))
    assert file.read_text() == "# for the shop\nA=3\n"


async def test_file_as_developers_write_it_is_imported(host: InMemoryHost, file: Path) -> None:
    source = host.folder / ".env"
    source.write_text("# local\nexport A='one two'\nB=\"x=y\"\n  C = 3\n\n")
    view = await change(host, file=source)
    assert view.changed == ["A", "B", "C"]
    assert file.read_text() == "A=one two\nB=x=y\nC=3\n"


async def test_change_is_a_new_release_at_the_next_deploy(host: InMemoryHost) -> None:
    await change(host, values={URL: Secret("first value")})
    request = DeployRequest(KEY, ImageReference(host.good_image()), "cli:me")
    deployments = Deployments(host.systems())
    assert (await deployments.deploy(request)).release == 1
    assert (await deployments.deploy(request)).changed is False
    await change(host, values={URL: Secret("second value")})
    assert (await deployments.deploy(request)).release == 2


@pytest.mark.parametrize("value", ["two\nlines", "ends\n", "nul\0", "carriage\rreturn"])
async def test_value_that_a_line_cannot_hold_is_refused_without_showing_it(
    host: InMemoryHost, file: Path, value: str
) -> None:
    with pytest.raises(InvalidRequest, match="more than one line") as caught:
        await change(host, values={URL: Secret(value)})
    assert value.split("\n", maxsplit=1)[0] not in str(caught.value)
    assert not file.exists()


async def test_port_is_codeb_s_own(host: InMemoryHost) -> None:
    with pytest.raises(InvalidRequest, match="PORT is set by codeb itself"):
        await change(host, values={VariableName("PORT"): Secret("1")})


async def test_missing_or_bad_file_is_refused(host: InMemoryHost) -> None:
    with pytest.raises(InvalidRequest, match="does not exist"):
        await change(host, file=host.folder / "none")
    with pytest.raises(InvalidRequest, match="is not a file"):
        await change(host, file=host.folder)
    bad = host.folder / "bad"
    bad.write_text("this is prose with a secret in it\n")
    with pytest.raises(InvalidRequest, match="line 1") as caught:
        await change(host, file=bad)
    assert "secret" not in str(caught.value)


async def test_exposed_file_is_not_written_to(host: InMemoryHost, file: Path) -> None:
    file.parent.mkdir()
    file.write_text("A=1\n")
    file.chmod(0o644)
    with pytest.raises(InvalidRequest, match="can be read by others"):
        await change(host, values={URL: Secret("x")})
    assert file.read_text() == "A=1\n"


async def test_change_during_a_deploy_is_told_so(host: InMemoryHost) -> None:
    async with host.systems().locks.hold(KEY, "mcp:claude", "deploy v1"):
        with pytest.raises(Locked):
            await change(host, values={URL: Secret("x")})


async def test_unknown_project_gets_no_file(host: InMemoryHost) -> None:
    other = EnvironmentKey(ProjectName("nobody"), KEY.environment)
    with pytest.raises(InvalidRequest, match="no project nobody"):
        await Variables(host.systems()).change(other, "cli:me", values={URL: Secret("x")})
    assert not (host.folder / "env").exists()

"""Ports handed out by hand, before there is a deploy that would need them."""

from pathlib import Path

import pytest

from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.ports import PortKind
from codeb_mcp.domain.project import EnvironmentKey, ProjectType
from codeb_mcp.errors import Refused
from codeb_mcp.services.ports import Ports
from codeb_mcp.services.projects import NewProject, Projects
from tests.fakes.systems import InMemoryHost

STAGING = EnvironmentKey(ProjectName("shop"), EnvironmentName("staging"))


@pytest.fixture
async def host(tmp_path: Path) -> InMemoryHost:
    made = InMemoryHost(tmp_path)
    new = NewProject(STAGING.project, ProjectType.IMAGE)
    await Projects(made.systems(), lambda: "abc").init(new, "cli:me")
    return made


async def test_port_reserved_before_the_first_deploy_survives_an_export(host: InMemoryHost) -> None:
    systems = host.systems()
    projects = Projects(systems, lambda: "abc")
    reserved = await Ports(systems).allocate(STAGING, PortKind.APP, "cli:me")
    document = await projects.document()
    assert document["portAllocations"]["app"] == {str(reserved.port): "shop/staging"}
    await projects.import_document(document, "cli:me", replace=True)
    again = await Ports(systems).allocate(STAGING, PortKind.APP, "cli:me")
    assert (again.port, again.created) == (reserved.port, False)


async def test_preview_whose_port_is_reserved_first_has_an_end_and_takes_its_place(
    tmp_path: Path,
) -> None:
    host = InMemoryHost(tmp_path, preview_limit=1)
    systems = host.systems()
    new = NewProject(STAGING.project, ProjectType.IMAGE)
    await Projects(systems, lambda: "abc").init(new, "cli:me")
    first, second = (
        EnvironmentKey(STAGING.project, EnvironmentName(name)) for name in ("pr-1", "pr-2")
    )
    await Ports(systems).allocate(first, PortKind.APP, "cli:me")
    (environment,) = (await host.registry.project(STAGING.project)).environments
    assert environment.expires_at is not None
    with pytest.raises(Refused, match="may have 1: pr-1"):
        await Ports(systems).allocate(second, PortKind.APP, "cli:me")

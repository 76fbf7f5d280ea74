"""Ports handed out by hand, before there is a deploy that would need them."""

from pathlib import Path

import pytest

from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.ports import PortKind
from codeb_mcp.domain.project import EnvironmentKey, ProjectType
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

"""Run as a process: deploys on a host in memory whose registry and locks are those of `folder`.

Arguments: the folder, the idempotency key, and `hang` to stop for ever as the release starts.
"""

import contextlib
import sys
from pathlib import Path

import anyio

from codeb_mcp.domain.host import ContainerSpec
from codeb_mcp.domain.lifetime import IdempotencyKey
from codeb_mcp.domain.names import EnvironmentName, ImageReference, ProjectName
from codeb_mcp.domain.project import EnvironmentKey, ProjectType
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.services.deployments import Deployments, DeployRequest
from codeb_mcp.services.projects import NewProject, Projects
from tests.fakes.systems import InMemoryHost

KEY = EnvironmentKey(ProjectName("shop"), EnvironmentName("staging"))


async def main(folder: Path, key: str, mode: str) -> None:
    host = InMemoryHost(folder)
    with contextlib.suppress(InvalidRequest):  # another process was the first
        await Projects(host.systems(), lambda: "abc").init(
            NewProject(KEY.project, ProjectType.IMAGE), "cli:me"
        )
    start = host.runtime.start

    async def counted(spec: ContainerSpec) -> None:
        if mode == "hang":
            (folder / "hanging").touch()
            await anyio.sleep_forever()
        count = folder / "starts"
        count.write_text(str(int(count.read_text() if count.exists() else "0") + 1))
        await start(spec)

    host.runtime.start = counted  # type: ignore[method-assign]  # what a deploy does once
    request = DeployRequest(
        KEY, ImageReference(host.good_image()), "cli:me", idempotency_key=IdempotencyKey(key)
    )
    view = await Deployments(host.systems()).deploy(request)
    sys.stdout.write(view.model_dump_json() + "\n")


anyio.run(main, Path(sys.argv[1]), sys.argv[2], sys.argv[3])

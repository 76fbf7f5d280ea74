"""The tool that judges a fix."""

from typing import Annotated

from pydantic import Field

from codeb_mcp.services.vetting import VerdictView, Vetting
from codeb_mcp.tools.deploying import absolute_path


class VetTool:
    """`vet_fix`."""

    def __init__(self, vetting: Vetting) -> None:
        self._vetting = vetting

    async def vet_fix(
        self,
        diff: Annotated[str, Field(description="the whole output of `git diff`, unchanged")],
        repository: Annotated[
            str | None, Field(description="absolute path of the working copy, for more context")
        ] = None,
    ) -> VerdictView:
        """Judge a fix before it is committed: does it remove the cause, or hide the failure?

        `block` must not be applied: each finding names the honest way instead. `review` needs a
        person's agreement. The verdict is about exactly this diff (`diff_sha256`).
        """
        folder = absolute_path(repository) if repository else None
        return await self._vetting.vet(diff, folder)

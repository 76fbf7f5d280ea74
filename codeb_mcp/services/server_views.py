"""What setting a server up, and checking it, give back."""

from dataclasses import asdict

from pydantic import Field

from codeb_mcp.planning.server_check import Part
from codeb_mcp.planning.server_setup import ServerPlan, setup_sentence
from codeb_mcp.services.views import View


class SetupStepView(View):
    """One step of a set-up."""

    kind: str = Field(description="what the step does, such as WriteFile")
    sentence: str


class ServerPlanView(View):
    """What set-up would do, or did. No steps: the server is as it is to be."""

    done: bool
    digest: str
    steps: list[SetupStepView]
    advice: list[str] = Field(description="what is left to the owner, with the commands to run")

    @classmethod
    def of(cls, plan: ServerPlan, advice: tuple[str, ...], *, done: bool) -> "ServerPlanView":
        """The view of `plan`."""
        steps = [
            SetupStepView(kind=type(step).__name__, sentence=setup_sentence(step))
            for step in plan.steps
        ]
        return cls(done=done, digest=plan.digest, steps=steps, advice=list(advice))


class PartView(View):
    """One part of a server."""

    name: str
    right: bool
    says: str
    mend: str = Field(description="the command that mends it; empty where all is right")


class ServerCheckView(View):
    """Every part of a server."""

    right: bool = Field(description="whether all of them are")
    parts: list[PartView]

    @classmethod
    def of(cls, parts: tuple[Part, ...]) -> "ServerCheckView":
        """The view of `parts`."""
        views = [PartView(**asdict(part)) for part in parts]
        return cls(right=all(part.right for part in parts), parts=views)

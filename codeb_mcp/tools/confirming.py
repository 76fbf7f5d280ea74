"""A person's agreement: asked for where the client can ask, else by the digest of a plan.

The question is a resolver's, so it is asked in both eras of the protocol, and never part of a
tool's arguments. It is made from the plan, and an answer to another question does not count.
"""

import functools
import inspect
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Annotated, Any, assert_never

from mcp.server.mcpserver import (
    AcceptedElicitation,
    Context,
    Elicit,
    ElicitationResult,
    Resolve,
)
from mcp_types.version import is_version_at_least
from pydantic import BaseModel, Field

from codeb_mcp.domain.names import EnvironmentKind, EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.errors import Refused
from codeb_mcp.services.database_views import DatabaseRemovalView
from codeb_mcp.services.domain_views import DomainRemovalView
from codeb_mcp.services.views import GarbageView, RemovalView
from codeb_mcp.tools.answers import answering
from codeb_mcp.tools.deploying import source_of

Tool = Callable[..., Awaitable[Any]]
SHOWN_STEPS = 30


class Agreement(BaseModel):
    """A person's answer."""

    agree: bool = Field(description="Go on with it?")


AGREED = Agreement(agree=True)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a call without a plan's digest would do."""

    digest: str
    sentences: list[str]


class Autonomy:
    """What an agent may do by itself: deploy to environments of the kinds in `free`."""

    def __init__(self, free: Collection[EnvironmentKind]) -> None:
        self._free = free

    def before_deploy(self, tool: Tool) -> Tool:
        """`deploy`, with a question before it where the policy asks for one."""

        async def question(
            ctx: Context,
            project: str,
            environment: str,
            image: str | None,
            source: str | None,
            dry_run: bool,
            plan_digest: str | None,
        ) -> Agreement | Elicit[Agreement]:
            key = EnvironmentKey(ProjectName(project), EnvironmentName(environment))
            what = source_of(image, source)
            if dry_run or plan_digest is not None:
                return AGREED
            return self._question(ctx, key, f"Deploy {what} to {key}?")

        return _asking(tool, question)

    def before_rollback(self, tool: Tool) -> Tool:
        """`rollback`, likewise."""

        async def question(
            ctx: Context,
            project: str,
            environment: str,
            to: str | None,
            dry_run: bool,
            plan_digest: str | None,
        ) -> Agreement | Elicit[Agreement]:
            key = EnvironmentKey(ProjectName(project), EnvironmentName(environment))
            if dry_run or plan_digest is not None:
                return AGREED
            aim = f"release {to[:80]!r}" if to is not None else "the release before"
            return self._question(ctx, key, f"Roll {key} back to {aim}?")

        return _asking(tool, question)

    def _question(
        self, ctx: Context, key: EnvironmentKey, message: str
    ) -> Agreement | Elicit[Agreement]:
        if key.environment.kind in self._free:
            return AGREED
        if can_ask(ctx):
            return Elicit(message, Agreement)
        raise Refused(
            f"{key} is not an environment that an agent may change by itself",
            hint="call it with dry_run=true, show the plan to a person, and pass its digest as "
            "plan_digest when they agree; which environments need it is agent_may_deploy in "
            "config.toml",
            code="not_confirmed",
        )


def before_removing(tool: Tool) -> Tool:
    """A tool that removes what the plan of `plan_digest` says, and without one only plans.

    Where the client can ask, a call without one shows the plan to the person and goes on.
    """

    async def proposal(**arguments: Any) -> Proposal | None:
        if arguments["plan_digest"] is not None or not can_ask(arguments["ctx"]):
            return None
        found = _proposed(await tool(**arguments))
        return found if found.sentences else None

    proposed_by = Annotated[Proposal | None, Resolve(answering(_taking(tool, proposal)))]

    async def question(proposed: Proposal | None) -> Agreement | Elicit[Agreement]:
        return AGREED if proposed is None else Elicit(_list(proposed), Agreement)

    question.__annotations__["proposed"] = proposed_by

    async def removing(
        *, proposed: Proposal | None, answer: ElicitationResult[Agreement], **arguments: Any
    ) -> Any:
        _require(answer)
        if proposed is not None:
            arguments["plan_digest"] = proposed.digest
        return await tool(**arguments)

    return _taking(tool, removing, proposed=proposed_by, answer=_answer_to(question))


def _asking(tool: Tool, question: Tool) -> Tool:
    """`tool`, once a person has said yes to `question`."""

    async def asking(*, answer: ElicitationResult[Agreement], **arguments: Any) -> Any:
        _require(answer)
        return await tool(**arguments)

    return _taking(tool, asking, answer=_answer_to(question))


def _answer_to(question: Tool) -> Any:
    """The annotation of a parameter that takes the person's answer."""
    return Annotated[ElicitationResult[Agreement], Resolve(answering(question))]


def _taking(tool: Tool, function: Tool, **resolved: Any) -> Tool:
    """`function` with the signature of `tool`, and parameters that resolvers fill."""
    functools.update_wrapper(function, tool)
    signature = inspect.signature(tool)
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation)
        for name, annotation in resolved.items()
    ]
    parameters = [*signature.parameters.values(), *added]
    function.__annotations__ = {**tool.__annotations__, **resolved}
    function.__dict__["__signature__"] = signature.replace(parameters=parameters)
    return function


def _require(answer: ElicitationResult[Agreement]) -> None:
    if isinstance(answer, AcceptedElicitation) and answer.data.agree:
        return
    raise Refused(
        "the person who was asked did not agree, and nothing was changed",
        hint="ask them what they want instead",
        code="not_confirmed",
    )


def _proposed(
    view: RemovalView | DomainRemovalView | DatabaseRemovalView | GarbageView,
) -> Proposal:
    match view:
        case RemovalView():
            return Proposal(view.plan.digest, [step.sentence for step in view.plan.steps])
        case DomainRemovalView():
            return Proposal(view.plan_digest, view.steps)
        case DatabaseRemovalView():
            return Proposal(view.digest, view.steps)
        case GarbageView():
            return Proposal(view.digest, [item.sentence for item in view.items])
        case _:
            assert_never(view)


def _list(proposed: Proposal) -> str:
    steps = "".join(f"\n- {each}" for each in proposed.sentences[:SHOWN_STEPS])
    more = len(proposed.sentences) - SHOWN_STEPS
    rest = f"\n- and {more} more" if more > 0 else ""
    return f"Carry out the plan {proposed.digest[:12]}?{steps}{rest}"


def can_ask(ctx: Context) -> bool:
    """Whether the client can put a question to its user."""
    capabilities = ctx.client_capabilities
    elicitation = capabilities.elicitation if capabilities is not None else None
    if elicitation is None or (elicitation.form is None and elicitation.url is not None):
        return False
    # in the handshake era the question is a request of its own, which not every connection takes
    return asks_in_its_result(ctx.protocol_version) or ctx.session.can_send_request


def asks_in_its_result(version: str | None) -> bool:
    """Whether the client takes questions as the result of its call."""
    return version is not None and is_version_at_least(version, "2026-07-28")

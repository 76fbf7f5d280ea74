"""`codeb deploy` and `codeb rollback`."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from codeb_mcp.cli.output import Json, actor, emit, out, text
from codeb_mcp.cli.progress import watched
from codeb_mcp.cli.waiting import Wait
from codeb_mcp.domain.lifetime import IdempotencyKey, Lifetime
from codeb_mcp.domain.names import EnvironmentName, ImageReference, ProjectName, VersionTag
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.services.deployments import DeployRequest, RollbackRequest
from codeb_mcp.services.views import DeployView
from codeb_mcp.wiring import open_application

Key = Annotated[
    str | None,
    typer.Option(help="Your name for this request: sent again, it is not carried out again."),
]


def deploy(
    project: Annotated[str, typer.Argument(metavar="PROJECT", help="Name of the project.")],
    env: Annotated[
        str, typer.Option(help="production (prod), staging, or pr-N for a preview.")
    ] = "staging",
    image: Annotated[
        str | None, typer.Option(help="Image to pull, such as ghcr.io/org/app:v1.2.3.")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(help="Folder to build, with a Containerfile; default: this one."),
    ] = None,
    version: Annotated[str | None, typer.Option(help="Name of this release.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only print what would change.")] = False,
    plan_digest: Annotated[str | None, typer.Option(help="Carry out this plan, or refuse.")] = None,
    ttl: Annotated[
        str | None, typer.Option(help="How long a preview lives: 12h, 7d, 2w or never.")
    ] = None,
    wait: Wait = 0,
    idempotency_key: Key = None,
    json: Json = False,
) -> None:
    """Put an image or a folder into an environment, without downtime."""
    if image is not None and source is not None:
        raise InvalidRequest("both --image and --source were given", hint="give one of them")
    request = DeployRequest(
        key=EnvironmentKey(ProjectName(project), EnvironmentName(env)),
        source=ImageReference(image) if image else (source or Path()).absolute(),
        actor=actor(),
        version=VersionTag(version) if version else None,
        dry_run=plan,
        plan_digest=plan_digest,
        ttl=Lifetime.parse(ttl) if ttl else None,
        wait=wait,
        idempotency_key=IdempotencyKey(idempotency_key) if idempotency_key else None,
    )
    deployments = open_application().deployments
    view = watched(partial(deployments.deploy, request), quiet=json)
    emit(view, json, lambda: _render(view))


def rollback(
    project: Annotated[str, typer.Argument(metavar="PROJECT", help="Name of the project.")],
    env: Annotated[
        str, typer.Option(help="production (prod), staging, or pr-N for a preview.")
    ] = "staging",
    version: Annotated[
        str | None,
        typer.Option(help="Version or release number; default: the one before the live one."),
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only print what would change.")] = False,
    plan_digest: Annotated[str | None, typer.Option(help="Carry out this plan, or refuse.")] = None,
    wait: Wait = 0,
    idempotency_key: Key = None,
    json: Json = False,
) -> None:
    """Put an earlier release back, without downtime."""
    request = RollbackRequest(
        key=EnvironmentKey(ProjectName(project), EnvironmentName(env)),
        actor=actor(),
        to=version,
        dry_run=plan,
        plan_digest=plan_digest,
        wait=wait,
        idempotency_key=IdempotencyKey(idempotency_key) if idempotency_key else None,
    )
    deployments = open_application().deployments
    view = watched(partial(deployments.rollback, request), quiet=json)
    emit(view, json, lambda: _render(view))


def _render(view: DeployView) -> None:
    where = f"{view.project}/{view.environment}"
    if not view.plan.steps:
        out.print(f"[green]✓[/] {where} is up to date: nothing to change")
    elif view.dry_run:
        out.print(f"deploying {where} would")
        for number, step in enumerate(view.plan.steps, start=1):
            out.print(f"  {number}. {text(step.sentence)}")
        out.print(f"carry out exactly this with --plan-digest {view.plan.digest}")
        return
    else:
        out.print(
            f"[green]✓[/] release {view.release} of {where} ({text(view.version)}) serves in the "
            f"{view.slot} slot after {view.seconds:.1f} s"
        )
    out.print(f"  {text(view.url)}")
    if view.expires_at is not None:
        out.print(f"  until {view.expires_at:%Y-%m-%d %H:%M} UTC")

"""`codeb local`: Podman's service and Caddy where codeb runs them itself."""

import time
from typing import Annotated

import typer
from pydantic import Field

from codeb_mcp.adapters import embedded
from codeb_mcp.adapters.run_state import RunState
from codeb_mcp.cli.confirming import Yes, confirm
from codeb_mcp.cli.output import Json, emit, out, run, text
from codeb_mcp.services.views import View
from codeb_mcp.settings import load_settings

app = typer.Typer(
    help="Podman's service and Caddy where codeb runs them itself.", no_args_is_help=True
)


class ServiceView(View):
    """Podman's service or Caddy."""

    name: str = Field(description="podman or caddy")
    endpoint: str = Field(description="where it answers")
    ours: bool = Field(description="whether codeb runs it, rather than the host")
    answers: bool | None = Field(description="null where the host runs it, and nobody asked")
    pid: int | None = Field(description="its process, where codeb runs it")


class LocalView(View):
    """What codeb runs itself on this host."""

    running: bool = Field(description="whether all that codeb runs itself answers")
    supervisor: int | None = Field(description="the supervisor's process id; null without one")
    services: tuple[ServiceView, ...]
    http_port: int
    logs: str = Field(description="the folder of their logs")
    problems: tuple[str, ...] = Field(description="what is wrong, each with what to do")


@app.command()
def start(as_json: Json = False) -> None:
    """Start them, unless they run already, and say where they answer."""
    began = time.monotonic()
    settings = load_settings()
    run(lambda: embedded.ensure_running(settings))
    view = run(_view)

    def render() -> None:
        out.print(f"running, checked in {time.monotonic() - began:.1f} s")
        _print(view)

    emit(view, as_json, render)


@app.command()
def stop(
    containers: Annotated[
        bool, typer.Option("--containers", help="Stop and remove codeb's containers as well.")
    ] = False,
    yes: Yes = False,
) -> None:
    """End them. Containers go on running, but nobody reaches them by name."""
    settings = load_settings()
    if containers:
        confirm(
            "removing every container",
            lambda: out.print("every container of this codeb folder will be stopped and removed"),
            yes=yes,
        )
        out.print(f"removed {run(lambda: embedded.remove_containers(settings))} containers")
    stopped = run(lambda: embedded.stop(settings))
    out.print("stopped" if stopped else "nothing was running")


@app.command()
def status(as_json: Json = False) -> None:
    """Show what runs, and what is wrong with it."""
    view = run(_view)
    emit(view, as_json, lambda: _print(view))


@app.command(name="run", hidden=True)
def run_here() -> None:
    """Run the supervisor in the foreground, until SIGTERM."""
    from codeb_mcp.adapters.supervisor import supervise  # noqa: PLC0415 - no other command needs it

    settings = load_settings()
    run(lambda: supervise(settings))


async def _view() -> LocalView:
    settings = load_settings()
    state = RunState(settings)
    endpoints = embedded.endpoints_of(settings)
    silent = await embedded.silent(state)
    children = state.children
    supervisor = state.supervisor if state.locked else None

    def service(name: str, endpoint: str, theirs: object) -> ServiceView:
        child = children.get(name)
        ours = theirs is None
        return ServiceView(
            name=name,
            endpoint=endpoint,
            ours=ours,
            answers=name not in silent if ours else None,
            pid=child.pid if child and ours else None,
        )

    return LocalView(
        running=(supervisor is not None or not settings.embedded) and not silent,
        supervisor=supervisor.pid if supervisor else None,
        services=(
            service("podman", str(endpoints.podman_socket), settings.podman_socket),
            service("caddy", endpoints.caddy_admin, settings.caddy_admin),
        ),
        http_port=settings.http_port,
        logs=str(state.log("supervisor").parent),
        problems=tuple(_problems(silent, running=supervisor is not None or not settings.embedded)),
    )


def _problems(silent: list[str], *, running: bool) -> list[str]:
    found = []
    if not running:
        found.append("the supervisor does not run; start it: codeb local start")
    elif silent:
        found.append(f"{' and '.join(silent)} did not answer; see the logs")
    if embedded.bridge_is_stale():
        found.append(
            "Podman's bridge podman0 is down, so published ports may time out; with no container "
            "running, remove it: ip link delete podman0"
        )
    return found


def _print(view: LocalView) -> None:
    out.print(f"supervisor: {view.supervisor or 'not running'}")
    for service in view.services:
        word = {True: "answers", False: "does not answer", None: "run by the host"}[service.answers]
        out.print(f"{service.name}: {word} on {text(service.endpoint)}", soft_wrap=True)
    out.print(f"visitors: port {view.http_port}")
    for problem in view.problems:
        out.print(f"[yellow]problem:[/] {text(problem)}", soft_wrap=True)

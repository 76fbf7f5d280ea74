"""Runs on the host under test: kills operations of the installed codeb and writes what it finds.

    python -m tests.system.crashes.program '{"project": "crash", "images": ["…:v1", "…:v2"]}'

The environment has a volume, variables and, on a host that keeps DNS, records. Each call of a use
case is a child process of its own. In the one to be killed every journal entry and every change of
a system is counted, and SIGKILL comes right before the chosen one: so there is a kill before each
step, between a step and the note that it is done, and between the parts of a step. One line of
JSON is written for each kill.
"""

import json
import os
import pickle
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import anyio
import httpx  # noqa: F401 - loaded here, so that the children need not
import podman
import podman.errors  # noqa: F401 - as above

from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.names import (
    DomainName,
    EnvironmentName,
    HealthPath,
    ImageReference,
    ProjectName,
    VariableName,
)
from codeb_mcp.domain.project import EnvironmentKey, ProjectType
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.services.auditing import audit_trail
from codeb_mcp.services.certificates import RenewalRequest
from codeb_mcp.services.custom_domains import DomainRequest
from codeb_mcp.services.deployments import DeployRequest, RollbackRequest
from codeb_mcp.services.projects import NewProject
from codeb_mcp.services.removals import RemovalRequest
from codeb_mcp.services.systems import Systems
from codeb_mcp.settings import load_settings
from codeb_mcp.wiring import Application, open_application
from tests.system.crashes.state import look_often, problems_of, state_of

CHANGES = {
    "images": ("tag", "untag"),
    "runtime": ("start", "stop"),
    "proxy": ("put_route", "restore_route"),
    "networks": ("create", "remove"),
    "volumes": ("create", "remove"),
    "certificates": ("start_renewal", "end_renewal"),
    "markers": ("point_to", "forget"),
    "dns": ("put", "remove"),
    "logs": ("remove",),
    "registry": (
        *("journal", "ensure_environment", "allocate_port", "begin_release", "mark_live"),
        *("remove_environment", "add_domain", "serve_domain", "remove_domain"),
    ),
    "calls": ("begin", "end"),
}
"""What is counted: each call that leaves something behind."""

UNCHANGED: dict[str, Any] = {"changed": False, "steps": []}
Operation = Callable[[Application], Awaitable[Any]]


class Killer:
    """One system with its changes counted in `points`; the process dies before number `at`."""

    def __init__(self, system: Any, names: tuple[str, ...], points: list[str], at: int) -> None:
        self._system, self._names, self._points, self._at = system, names, points, at

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._system, name)
        return partial(self._counted, name, member) if name in self._names else member

    async def _counted(self, name: str, member: Any, *args: Any, **kwargs: Any) -> Any:
        if len(self._points) == self._at:
            os.kill(os.getpid(), signal.SIGKILL)
        note = f" {args[-1]}: {args[-2]}" if name == "journal" else ""
        self._points.append(f"{name}{note}")
        return await member(*args, **kwargs)


def watched(systems: Systems, points: list[str], at: int = -1) -> Systems:
    """The same systems, under watch; `at` -1 kills nobody."""
    changes: dict[str, Any] = {
        room: Killer(getattr(systems, room), names, points, at) for room, names in CHANGES.items()
    }
    return replace(systems, **changes)


def in_child(work: Callable[[], Any]) -> Any:
    """What `work` gives in a process of its own; None when that was killed."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receive)
        try:
            outcome = ("ok", work())
        except BaseException as error:  # noqa: BLE001 - told to the parent
            outcome = ("error", f"{type(error).__name__}: {error}")
        with os.fdopen(send, "wb") as pipe:
            pickle.dump(outcome, pipe)
        os._exit(0)
    os.close(send)
    with os.fdopen(receive, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return None
    kind, value = pickle.loads(said)  # noqa: S301 - our own child's
    if kind == "error":
        raise AssertionError(value)
    return value


def call(operation: Operation) -> Any:
    """The operation in a child, unharmed."""
    return in_child(lambda: anyio.run(operation, open_application()))


def points_of(operation: Operation) -> list[str]:
    """The operation in a child, unharmed: every point at which it could be killed, in order."""

    def work() -> list[str]:
        points: list[str] = []
        anyio.run(operation, Application(watched(open_application().systems, points)))
        return points

    return list(in_child(work))


def kill_at(operation: Operation, point: int) -> bool:
    """The operation in a child that dies before that point; False when it did not get there."""

    def work() -> None:
        anyio.run(operation, Application(watched(open_application().systems, [], point)))

    return in_child(work) is None


def kill_after(operation: Operation, seconds: float) -> bool:
    """The operation in a child that dies after that time, wherever it is."""

    def work() -> None:
        # what the signal does by itself is to end the process at once, as SIGKILL would
        signal.setitimer(signal.ITIMER_REAL, seconds)
        anyio.run(operation, open_application())
        signal.setitimer(signal.ITIMER_REAL, 0)

    return in_child(work) is None


async def read_audit(application: Application) -> None:
    """Looks at the audit, which then tells of the calls that were killed."""
    await audit_trail(application.systems, 1)


@dataclass(frozen=True, slots=True)
class Job:
    """What to do, as the caller said."""

    project: str
    images: tuple[str, str]
    operations: tuple[str, ...]
    repeats: int = 1
    every: int = 1
    anywhere: int = 0

    @property
    def key(self) -> EnvironmentKey:
        """The environment that suffers."""
        return EnvironmentKey(ProjectName(self.project), EnvironmentName("staging"))

    @property
    def domain(self) -> DomainName:
        """A domain beside its own."""
        return DomainName(f"also-{self.project}.{load_settings().base_domain}")

    def deploy(self, which: int) -> Operation:
        """Deploys one of the two images."""
        request = DeployRequest(self.key, ImageReference(self.images[which]), "crash")
        return lambda application: _result(application.deployments.deploy(request))

    def rollback(self, which: int) -> Operation:
        """Goes back to the version of one of the two images."""
        version = ImageReference(self.images[which]).tag
        request = RollbackRequest(self.key, "crash", to=version)
        return lambda application: _result(application.deployments.rollback(request))

    async def remove(self, application: Application) -> dict[str, Any]:
        """Removes the environment with its volume; says that nothing changed when there is none."""
        asked = RemovalRequest(self.key, "crash", volumes=True)
        try:
            planned = await application.removals.remove(asked)
        except InvalidRequest as error:
            if error.code != "unknown_environment":
                raise
            return UNCHANGED
        request = replace(asked, plan_digest=planned.plan.digest)
        removed = await application.removals.remove(request)
        return {"changed": True, "steps": removed.plan.steps}

    async def close(self, application: Application) -> dict[str, Any]:
        """Removes the environment with its volume and its variables."""
        closed = await application.removals.close(self.key, "crash", volumes=True)
        return {"changed": bool(closed.plan.steps), "steps": closed.plan.steps}

    async def add_domain(self, application: Application) -> dict[str, Any]:
        """Adds the further domain; that it is served is looked at afterwards."""
        request = DomainRequest(self.key, self.domain, "crash")
        added = await application.custom_domains.add(request)
        assert added.status == "active", added
        return UNCHANGED

    async def drop_domain(self, application: Application) -> dict[str, Any]:
        """Removes the further domain; says that nothing changed when there is none."""
        request = DomainRequest(self.key, self.domain, "crash")
        try:
            planned = await application.custom_domains.remove(request)
        except InvalidRequest as error:
            if error.code != "unknown_domain":
                raise
            return UNCHANGED
        await application.custom_domains.remove(request, planned.plan_digest)
        return {"changed": True, "steps": [*planned.steps]}

    async def renew(self, application: Application) -> dict[str, Any]:
        """Has a new certificate signed, which each call does."""
        renewed = await application.certificates.renew(RenewalRequest(self.key, "crash"))
        assert all(each.serial != each.serial_before for each in renewed.renewed), renewed
        return UNCHANGED

    async def init(self, application: Application) -> dict[str, Any]:
        """Registers the project."""
        health = HealthPath("/cgi-bin/health")
        new = NewProject(self.key.project, ProjectType.IMAGE, health_check=health)
        await application.projects.init(new, "crash")
        settings = {"volumes": "data:/data"}
        await application.configuration.change(self.key.project, "crash", settings)
        return {}

    async def set_variables(self, application: Application) -> dict[str, Any]:
        """Gives the environment a secret."""
        changes = {VariableName("SECRET"): Secret("kept from everybody")}
        await application.variables.change(self.key, "crash", values=changes)
        return {}


async def _result(call: Awaitable[Any]) -> dict[str, Any]:
    view = await call
    return {"changed": view.changed, "steps": view.plan.steps}


@dataclass
class Case:
    """One operation on one environment: what is there before, and what must be afterwards."""

    job: Job
    name: str
    live: int = 0

    def prepare(self) -> None:
        """Bring about what the operation starts from."""
        match self.name:
            case "first deploy":
                call(self.job.remove)
            case "add domain":
                call(self.job.deploy(self.live))
                call(self.job.drop_domain)
            case "remove domain":
                call(self.job.deploy(self.live))
                call(self.job.add_domain)
            case "renew":
                call(self.job.deploy(self.live))
                look_often()
            case "close":
                call(self.job.set_variables)
                call(self.job.deploy(self.live))
            case _:
                call(self.job.deploy(self.live))

    @property
    def operation(self) -> Operation:
        """What is killed, and then called again."""
        match self.name:
            case "first deploy":
                return self.job.deploy(0)
            case "deploy":
                return self.job.deploy(1 - self.live)
            case "rollback":
                return self.job.rollback(1 - self.live)
            case "add domain":
                return self.job.add_domain
            case "remove domain":
                return self.job.drop_domain
            case "renew":
                return self.job.renew
            case "remove":
                return self.job.remove
            case _:
                return self.job.close

    def converged(self, interrupted: int | None = None) -> str:
        """Call again, twice; what is wrong then, or an empty text.

        `interrupted` is how many calls should have been told as such before, and one more now.
        """
        try:
            call(self.operation)
            call(read_audit)
            state = state_of(self.job.project)
            second = call(self.operation)
        except AssertionError as error:
            return str(error)
        if second["changed"] or second["steps"]:
            return f"the second call still changes something: {second['steps']}"
        if (again := state_of(self.job.project)) != state:
            return f"the second call changed {state} into {again}"
        if self.name in ("deploy", "rollback"):
            self.live = 1 - self.live
        if interrupted is not None and state.interrupted != interrupted:
            return f"{state.interrupted} interrupted calls in the audit, and not {interrupted}"
        page = "" if self.name in ("remove", "close") else f"page {self.live}\n"
        return "; ".join(
            problems_of(
                state,
                page,
                domains=int(self.name == "add domain"),
                variables=int(self.name != "close"),
            )
        )


def run(job: Job) -> Iterator[dict[str, Any]]:
    """Every kill of the job and what became of it."""
    call(job.init)
    for name in job.operations:
        case = Case(job, name)
        call(job.set_variables)  # which closing took away
        if name == "rollback":  # what is gone back to must have served
            call(job.deploy(1))
            call(job.deploy(0))
        case.prepare()
        began = time.perf_counter()
        points = points_of(case.operation)
        seconds = time.perf_counter() - began
        if problem := case.converged():
            yield {"operation": name, "point": "none", "problem": problem}
        case.live = 0
        for point in range(0, len(points), job.every):
            for _ in range(job.repeats):
                case.prepare()
                before = state_of(job.project).interrupted
                killed = kill_at(case.operation, point)
                expected = before + len(state_of(job.project).under_way)
                problem = case.converged(expected) if killed else "it was not killed"
                yield {
                    "operation": name,
                    "number": point,
                    "point": points[point],
                    "problem": problem,
                }
        for number in range(job.anywhere):
            case.prepare()
            moment = seconds * (number + 0.5) / job.anywhere
            killed = kill_after(case.operation, moment)
            yield {
                "operation": name,
                "point": f"after {moment:.3f} s" if killed else "none: it had ended",
                "problem": case.converged(),
            }


def main() -> int:
    """Run the job of the command line."""
    told = json.loads(sys.argv[1])
    job = Job(**{**told, "images": tuple(told["images"]), "operations": tuple(told["operations"])})
    for line in run(job):
        print(json.dumps(line), flush=True)  # noqa: T201 - this is what it is for
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Carries out a plan: every step journaled before and after, and undone when a later one fails.

What is to be undone is decided before a step begins, so that a step that fails half-way is
undone as well. After `kill -9` nothing here runs: the next plan is made from what is found.
"""

import contextlib
import itertools
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeAlias, assert_never

import anyio

from codeb_mcp.domain.host import ContainerSpec, ContainerState, HealthPolicy, ObservedContainer
from codeb_mcp.domain.names import DomainName
from codeb_mcp.domain.plan import (
    AllocatePort,
    CheckHealth,
    CheckPublic,
    Drain,
    ForgetDomain,
    ForgetEnvironment,
    Plan,
    PruneImages,
    PutRecord,
    RecordRelease,
    RemoveRecord,
    RemoveRoute,
    ServeDomain,
    StartContainer,
    Step,
    StopContainer,
    SwitchSlot,
    WriteRoute,
    sentence,
)
from codeb_mcp.domain.ports import PortKind
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.domain.surroundings import (
    CreateNetwork,
    CreateVolume,
    InstallJob,
    RemoveDatabase,
    RemoveJob,
    RemoveNetwork,
    RemoveVolume,
)
from codeb_mcp.errors import (
    CodebError,
    DeployFailed,
    HostNotReady,
    Refused,
    StalePlan,
    SystemFailed,
)
from codeb_mcp.services.retention import keep_newest
from codeb_mcp.services.surroundings import surround
from codeb_mcp.services.systems import Systems
from codeb_mcp.services.together import at_once

Undo: TypeAlias = Callable[[], Awaitable[object]]
OnStep: TypeAlias = Callable[[Step], Awaitable[None]]

CERTIFICATE_SECONDS = 90.0
CERTIFICATE_HINT = (
    "no certificate could be had for it: see that the domain leads here and that ports 80 and 443 "
    "are open to the world; Caddy's log (journalctl -u caddy) says what the authority answered"
)
PUBLIC_SECONDS = 5.0
TELL_SECONDS = 1.0
FIRST_POLL = 0.01
POLL_GROWTH = 1.5
SLOWEST_POLL = 0.2


class Unhealthy(DeployFailed):
    """A release did not pass a check. `reason` is the part of the message that says how."""

    default_code = "unhealthy"


async def apply(
    systems: Systems, plan: Plan, key: EnvironmentKey, release: int, on_step: OnStep
) -> None:
    """Carry out `plan`. When a step fails, those before it are undone and its error raised.

    So it is when the caller is cancelled, but not once a release is recorded as live: from then
    on the plan is carried out to its end. A rollback to the slot that is drained, or somebody
    who closes the environment, ends the draining: what is left is theirs to plan.
    """
    with anyio.CancelScope() as decided:
        await _apply(systems, plan, key, release, on_step, decided)


async def _apply(
    systems: Systems,
    plan: Plan,
    key: EnvironmentKey,
    release: int,
    on_step: OnStep,
    decided: anyio.CancelScope,
) -> None:
    undone: list[tuple[Step, Undo]] = []
    # written together with the next line: each write waits for the disk
    done = ""
    try:
        for step in plan.steps:
            await (_tell(on_step, step) if decided.shield else on_step(step))
            decided.shield = decided.shield or isinstance(step, RecordRelease)
            await systems.registry.journal(key, release, sentence(step), "started", after=done)
            done = ""
            undo = await _undo_of(systems, step)
            if undo is not None:
                undone.append((step, undo))
            await _perform(systems, step)
            done = sentence(step)
            if isinstance(step, RecordRelease):
                undone.clear()
            if isinstance(step, Drain) and decided.shield and await systems.locks.recalled(key):
                break
        if done:
            await systems.registry.journal(key, release, done, "done")
    except BaseException as error:
        with anyio.CancelScope(shield=True):
            await _note(systems, key, release, step, "failed", after=done)
            left = [await _undo(systems, key, release, *each) for each in reversed(undone)]
            if isinstance(error, DeployFailed):
                error.rolled_back = any(isinstance(each, SwitchSlot) for each, _ in undone)
        if isinstance(error, CodebError) and any(left):
            error.message += "; could not undo: " + "; ".join(filter(None, left))
        raise


async def _tell(on_step: OnStep, step: Step) -> None:
    """Say that a step begins, to one who may be gone: what is decided is not held up by that."""
    gone = (anyio.BrokenResourceError, anyio.ClosedResourceError)
    with anyio.move_on_after(TELL_SECONDS), contextlib.suppress(*gone):
        await on_step(step)


async def _undo(
    systems: Systems, key: EnvironmentKey, release: int, step: Step, undo: Undo
) -> str | None:
    """Undo one step. A failure is told, not raised: the rest must be undone all the same."""
    try:
        await undo()
    except Exception as error:  # noqa: BLE001 - whatever it is, the other undos must still run
        await _note(systems, key, release, step, "not undone")
        return f"{sentence(step)} ({error})"
    await _note(systems, key, release, step, "undone")
    return None


async def _note(
    systems: Systems, key: EnvironmentKey, release: int, step: Step, state: str, after: str = ""
) -> None:
    """Journal where that is possible: on a full disk what was done must be undone all the same."""
    with contextlib.suppress(CodebError):
        await systems.registry.journal(key, release, sentence(step), state, after=after)


async def _undo_of(systems: Systems, step: Step) -> Undo | None:
    """How to take `step` back, from what is there before it."""
    match step:
        case AllocatePort(key, _):
            return lambda: systems.registry.release_port(key, PortKind.APP)
        case PutRecord(record):
            before = await systems.dns.records(record.name)
            same = [each for each in before if each.type is record.type]
            if same:
                return lambda: systems.dns.put(same[0])
            return lambda: systems.dns.remove(record.name, record.type)
        case StartContainer(spec, again):
            return lambda: _remove(systems, spec, keep_image=again)
        case SwitchSlot(key, slot):
            return lambda: systems.markers.point_to(key, slot.other)
        case WriteRoute(route):
            standing = await systems.proxy.route(route.id)
            return lambda: systems.proxy.restore_route(route.id, standing)
        case CreateNetwork(key):
            return lambda: systems.networks.remove(key)
        case CreateVolume(key, volume):
            return lambda: systems.volumes.remove(key, volume.name)
        case (
            CheckHealth()
            | CheckPublic()
            | RecordRelease()
            | Drain()
            | StopContainer()
            | PruneImages()
            | RemoveRoute()
            | RemoveRecord()
            | ForgetEnvironment()
            | RemoveNetwork()
            | RemoveVolume()
            | RemoveDatabase()
            | InstallJob()
            | RemoveJob()
            | ServeDomain()
            | ForgetDomain()
        ):
            # Looking changes nothing. A removal is finished by the next call, not taken back.
            return None
        case _:
            assert_never(step)


async def _remove(systems: Systems, spec: ContainerSpec, *, keep_image: bool) -> None:
    """Remove a release that failed, which may have had traffic until a moment ago."""
    with contextlib.suppress(CodebError):  # without Caddy nobody can tell what is under way
        await _drain(systems, spec.host_port, spec.stop_timeout)
    with contextlib.suppress(Refused):  # the slot holds a stranger's: ours never came to be
        await systems.runtime.stop(spec.key, spec.slot)
    if not keep_image:
        await systems.images.untag(spec.image)


async def _perform(systems: Systems, step: Step) -> None:
    match step:
        case AllocatePort(key, port):
            await _allocate(systems, key, port)
        case PutRecord(record):
            await systems.dns.put(record)
        case StartContainer(spec, _):
            await systems.images.tag(spec.image_id, spec.image)
            await systems.runtime.start(spec)
        case CheckHealth(spec, policy):
            await wait_until_healthy(systems, spec, policy)
        case SwitchSlot(key, slot):
            await systems.markers.point_to(key, slot)
        case WriteRoute(route):
            await systems.proxy.put_route(route)
        case CheckPublic(domain, policy):
            await _check_public(systems, domain, policy)
        case RecordRelease(key, release, slot):
            await systems.registry.mark_live(key, release, slot)
        case Drain(key, _, port, timeout):
            await _drain(systems, port, timeout, key)
        case StopContainer(key, slot, _):
            await systems.runtime.stop(key, slot)
        case PruneImages(key, keep, live):
            await keep_newest(systems, key, keep, live)
        case RemoveRoute(_, _, route_id):
            await systems.proxy.restore_route(route_id, None)
        case RemoveRecord(record):
            await systems.dns.remove(record.name, record.type)
        case (
            CreateNetwork()
            | RemoveNetwork()
            | CreateVolume()
            | RemoveVolume()
            | RemoveDatabase()
            | InstallJob()
            | RemoveJob()
        ):
            await surround(systems, step)
        case ForgetEnvironment(key, variables):
            await systems.logs.remove(key)
            await systems.markers.forget(key)
            if variables:
                systems.secrets.remove(key)
            await systems.registry.remove_environment(key)
        case ServeDomain(key, domain):
            await systems.registry.serve_domain(key, domain)
        case ForgetDomain(key, domain):
            await systems.registry.remove_domain(key, domain)
        case _:
            assert_never(step)


async def _allocate(systems: Systems, key: EnvironmentKey, port: int) -> None:
    try:
        got = await systems.registry.allocate_port(
            key, PortKind.APP, (port,), systems.probe.port_is_free
        )
    except HostNotReady as error:
        if error.code != "ports_exhausted":
            raise
        raise StalePlan(f"port {port} was taken meanwhile", hint="call again") from None
    if got.port != port:
        raise StalePlan(f"{key} was given port {got.port} meanwhile, not {port}", hint="call again")


async def wait_until_healthy(systems: Systems, spec: ContainerSpec, policy: HealthPolicy) -> None:
    """Ask the release in its own slot until it answers 2xx or 3xx. Raises Unhealthy.

    A container that ended is not waited for; nor does a slow answer stretch the time allowed.
    """
    clock = systems.clock
    deadline = clock.monotonic() + policy.patience
    delays = _delays(policy.interval)
    for tries in itertools.count(1):
        async with at_once() as looks:
            asked = looks.create_task(
                systems.probe.get(spec.host_port, policy.path, policy.timeout)
            )
            found = looks.create_task(systems.runtime.observe(spec.key))
        answer, seen = asked.result(), found.result().get(spec.slot)
        if seen is None or seen.state is ContainerState.EXITED or seen.restarts > 0:
            code = "" if seen is None or seen.exit_code is None else f" (exit {seen.exit_code})"
            raise Unhealthy(f"stopped by itself{code} before it was healthy", code="exited")
        if answer.healthy:
            return
        left = deadline - clock.monotonic()
        if left <= 0:
            where = f"GET {policy.path} on 127.0.0.1:{spec.host_port}"
            said = "never answered" if answer.status is None else "was never healthy at"
            reached = answer.status is not None or "no route" in answer.reason
            elsewhere = "" if reached else await _elsewhere(systems, spec, seen)
            raise Unhealthy(
                f"{said} {where} ({tries} tries, last: {answer}){elsewhere}",
                hint=_nat_hint(spec.host_port) if "no route" in answer.reason else "",
            )
        await clock.sleep(min(next(delays), left))


async def _elsewhere(systems: Systems, spec: ContainerSpec, seen: ObservedContainer) -> str:
    """Where the container listens instead: another port, or only for itself."""
    ports = await systems.runtime.listening_ports(seen)
    if not ports:
        return ""
    if spec.container_port in ports:
        return (
            f"; something listens on {spec.container_port} inside, but answers nobody from "
            "outside: it must listen on 0.0.0.0, not on 127.0.0.1 alone"
        )
    return (
        f"; it listens on {', '.join(map(str, ports))} inside, "
        f"not on {spec.container_port} as PORT told it"
    )


def _nat_hint(port: int) -> str:
    return (
        "a Podman that was killed may have left a rule that leads this port elsewhere; find it "
        f"with iptables -t nat -S | grep 'dport {port}', and delete it with -D in place of -A"
    )


def _delays(slowest: float) -> Iterator[float]:
    """How long to wait between two looks: soon at first, since most are ready soon."""
    delay = FIRST_POLL
    while True:
        yield min(delay, slowest)
        delay *= POLL_GROWTH


async def _check_public(systems: Systems, domain: DomainName, policy: HealthPolicy) -> None:
    """Ask as a visitor would. A certificate that is only being had is waited for."""
    clock, delays = systems.clock, _delays(SLOWEST_POLL)
    begin = clock.monotonic()
    while True:
        uncertified = False
        try:
            status = await systems.proxy.public_status(domain, policy.path, policy.timeout)
        except SystemFailed as error:
            answer = error.message
            uncertified = error.code == "certificate_missing"
        else:
            if 200 <= status < 400:
                return
            answer = f"HTTP {status}"
        patience = CERTIFICATE_SECONDS if uncertified else PUBLIC_SECONDS
        if clock.monotonic() >= begin + patience:
            raise Unhealthy(
                f"answered in its slot, but not at {domain}{policy.path}: {answer}",
                hint=CERTIFICATE_HINT if uncertified else "",
            )
        await clock.sleep(next(delays))


async def _drain(
    systems: Systems, port: int, seconds: float, key: EnvironmentKey | None = None
) -> None:
    """Wait for the requests that are still being answered; those that outlast it are cut off.

    With `key` no longer than until its slot is recalled.
    """
    deadline = systems.clock.monotonic() + seconds
    delays = _delays(SLOWEST_POLL)
    while await systems.proxy.requests_in_flight(port) > 0:
        left = deadline - systems.clock.monotonic()
        if left <= 0 or (key is not None and await systems.locks.recalled(key)):
            return
        await systems.clock.sleep(min(next(delays), left))

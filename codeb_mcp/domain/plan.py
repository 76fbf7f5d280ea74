"""A plan: what a request would change, as data that reads as sentences.

`Step` is a closed union. Each step is idempotent; how it is carried out and undone is in
`services.apply`.
"""

from dataclasses import dataclass
from typing import TypeAlias, assert_never

from codeb_mcp.domain.host import ContainerSpec, DnsRecord, HealthPolicy, Route, fingerprint
from codeb_mcp.domain.names import DomainName
from codeb_mcp.domain.project import EnvironmentKey, Slot
from codeb_mcp.domain.surroundings import (
    CreateNetwork,
    CreateVolume,
    InstallJob,
    RemoveDatabase,
    RemoveJob,
    RemoveNetwork,
    RemoveVolume,
    Surrounding,
    surrounding_sentence,
)


@dataclass(frozen=True, slots=True)
class AllocatePort:
    """Reserve a port pair for an environment."""

    key: EnvironmentKey
    port: int


@dataclass(frozen=True, slots=True)
class PutRecord:
    """Create or replace a DNS record."""

    record: DnsRecord


@dataclass(frozen=True, slots=True)
class StartContainer:
    """Start a release in its slot, replacing whatever of ours is there.

    `again` says that it has served before: if it does not start, its image is kept all the same.
    """

    spec: ContainerSpec
    again: bool = False


@dataclass(frozen=True, slots=True)
class CheckHealth:
    """Wait until the release answers in its own slot; nobody is sent there yet."""

    spec: ContainerSpec
    policy: HealthPolicy


@dataclass(frozen=True, slots=True)
class SwitchSlot:
    """Cut over: the next request goes to `slot`."""

    key: EnvironmentKey
    slot: Slot


@dataclass(frozen=True, slots=True)
class WriteRoute:
    """Tell Caddy about the domain and both slots behind it."""

    route: Route


@dataclass(frozen=True, slots=True)
class CheckPublic:
    """Ask for the health path as a visitor would, through Caddy."""

    domain: DomainName
    policy: HealthPolicy


@dataclass(frozen=True, slots=True)
class RecordRelease:
    """Write down that a release is the live one."""

    key: EnvironmentKey
    release: int
    slot: Slot


@dataclass(frozen=True, slots=True)
class Drain:
    """Wait until the old slot has no request left, at most `timeout` seconds."""

    key: EnvironmentKey
    slot: Slot
    port: int
    timeout: float


@dataclass(frozen=True, slots=True)
class StopContainer:
    """Stop a slot and remove its container and unit."""

    key: EnvironmentKey
    slot: Slot
    release: int


@dataclass(frozen=True, slots=True)
class PruneImages:
    """Remove release images beyond the newest `keep` (the live one always stays)."""

    key: EnvironmentKey
    keep: int
    live: int


@dataclass(frozen=True, slots=True)
class RemoveRoute:
    """Send nobody to the environment any more."""

    key: EnvironmentKey
    domain: DomainName
    route_id: str


@dataclass(frozen=True, slots=True)
class RemoveRecord:
    """Remove a DNS record that codeb made."""

    record: DnsRecord


@dataclass(frozen=True, slots=True)
class ForgetEnvironment:
    """Give the environment's ports back, and remove it with its releases and logs.

    With `variables` its env file goes as well.
    """

    key: EnvironmentKey
    variables: bool = False


@dataclass(frozen=True, slots=True)
class ServeDomain:
    """Write down that a custom domain is served."""

    key: EnvironmentKey
    domain: DomainName


@dataclass(frozen=True, slots=True)
class ForgetDomain:
    """Forget a custom domain."""

    key: EnvironmentKey
    domain: DomainName


Step: TypeAlias = (
    AllocatePort
    | PutRecord
    | StartContainer
    | CheckHealth
    | SwitchSlot
    | WriteRoute
    | CheckPublic
    | RecordRelease
    | Drain
    | StopContainer
    | PruneImages
    | RemoveRoute
    | RemoveRecord
    | ForgetEnvironment
    | Surrounding
    | ServeDomain
    | ForgetDomain
)


def sentence(step: Step) -> str:
    """The step as a person would say it."""
    match step:
        case AllocatePort(key, port):
            return f"reserve ports {port} (blue) and {Slot.GREEN.port(port)} (green) for {key}"
        case PutRecord(record):
            return f"set the DNS record {record}"
        case StartContainer(spec, again):
            return (
                f"start release {spec.release} of {spec.key} {'again ' if again else ''}from "
                f"{spec.image} in the {spec.slot} slot on 127.0.0.1:{spec.host_port}"
            )
        case CheckHealth(spec, policy):
            return (
                f"wait until 127.0.0.1:{spec.host_port}{policy.path} answers "
                f"(at most {policy.patience:g} s)"
            )
        case SwitchSlot(key, slot):
            return f"send the traffic of {key} to the {slot} slot"
        case WriteRoute(route):
            return (
                f"route {', '.join(route.hosts)} to 127.0.0.1:{route.port(Slot.BLUE)} (blue) or "
                f"127.0.0.1:{route.port(Slot.GREEN)} (green)"
            )
        case CheckPublic(domain, policy):
            return f"check that {domain}{policy.path} answers through Caddy"
        case RecordRelease(key, release, slot):
            return f"record release {release} of {key} as live in the {slot} slot"
        case Drain(key, slot, _, timeout):
            return f"let the {slot} slot of {key} finish its requests (at most {timeout:g} s)"
        case StopContainer(key, slot, release):
            return f"stop release {release} of {key} in the {slot} slot and remove it"
        case RemoveRoute(key, domain, _):
            return f"send nobody to {key} at {domain} any more"
        case RemoveRecord(record):
            return f"remove the DNS record {record}"
        case ForgetEnvironment(key, variables):
            what = "releases, logs and variables" if variables else "releases and logs"
            return f"give the ports of {key} back and forget its {what}"
        case (
            CreateNetwork()
            | RemoveNetwork()
            | CreateVolume()
            | RemoveVolume()
            | RemoveDatabase()
            | InstallJob()
            | RemoveJob()
        ):
            return surrounding_sentence(step)
        case ServeDomain(key, domain):
            return f"record {domain} as served by {key}"
        case ForgetDomain(key, domain):
            return f"take {domain} away from {key}"
        case PruneImages(key, 0, _):
            return f"remove the release images of {key}"
        case PruneImages(key, keep, _):
            return f"keep the newest {keep} release images of {key} that have served, and no others"
        case _:
            assert_never(step)


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in order, bound to the state they were made from."""

    steps: tuple[Step, ...]
    observed: str

    @property
    def digest(self) -> str:
        """Names this plan: the same steps from the same state give the same digest."""
        return fingerprint([self.observed, [sentence(step) for step in self.steps]])

    @property
    def sentences(self) -> tuple[str, ...]:
        """The steps as sentences."""
        return tuple(sentence(step) for step in self.steps)

    def __bool__(self) -> bool:
        return bool(self.steps)

"""Projects and their environments, as the registry knows them."""

import re
import shlex
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from codeb_mcp.domain.confinement import Confinement
from codeb_mcp.domain.domains import CustomDomain
from codeb_mcp.domain.job import Job
from codeb_mcp.domain.names import (
    DomainName,
    EnvironmentKind,
    EnvironmentName,
    HealthPath,
    ProjectName,
    VariableName,
    shown,
)
from codeb_mcp.domain.ports import SLOT_OFFSET, PortKind
from codeb_mcp.domain.release import Release
from codeb_mcp.errors import InvalidRequest

_SLUG = re.compile(r"(.+)-(production|staging|pr-[0-9]+)")


class ProjectType(StrEnum):
    """What a project is made of; decides what `codeb init` writes."""

    NEXTJS = "nextjs"
    NODE = "node"
    PYTHON = "python"
    STATIC = "static"
    GO = "go"
    DOCKERFILE = "dockerfile"
    IMAGE = "image"

    @classmethod
    def parse(cls, text: str) -> "ProjectType":
        """`text` as a type, or `InvalidRequest` naming those there are."""
        try:
            return cls(text)
        except ValueError:
            raise InvalidRequest(
                f"project type {shown(text)} is not known",
                hint=f"use one of: {', '.join(cls)}",
                code="invalid_project_type",
            ) from None


class Slot(StrEnum):
    """The two places in which an environment's releases run in turn."""

    BLUE = "blue"
    GREEN = "green"

    @property
    def other(self) -> "Slot":
        """The slot that this one takes turns with."""
        return Slot.GREEN if self is Slot.BLUE else Slot.BLUE

    def port(self, allocated: int) -> int:
        """The host port of this slot in an environment that was given the port `allocated`."""
        return allocated if self is Slot.BLUE else allocated + SLOT_OFFSET


def command_words(text: str) -> tuple[str, ...]:
    """A start command's words, split as a shell would and expanded by none.

    Raises InvalidRequest when it is no command line.
    """
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise InvalidRequest(
            f"the start command {shown(text, 200)} cannot be read: {error}",
            hint="close every quote, and put a backslash only before a character",
            code="invalid_command",
        ) from None


@dataclass(frozen=True, slots=True)
class ProjectConfig:
    """How a project is built, started and checked.

    `port` is what the application listens on inside its container; None means the port that the
    image exposes, or 8080. The application is told in the variable PORT either way.
    """

    build_command: str | None = None
    start_command: str | None = None
    health_check: HealthPath = field(default_factory=lambda: HealthPath("/"))
    env_vars: tuple[VariableName, ...] = ()
    port: int | None = None
    confinement: Confinement = field(default_factory=Confinement)


@dataclass(frozen=True, slots=True)
class EnvironmentKey:
    """Which environment of which project. Its text, `shop/staging`, is what people read."""

    project: ProjectName
    environment: EnvironmentName

    def __str__(self) -> str:
        return f"{self.project}/{self.environment}"

    @property
    def slug(self) -> str:
        """`shop-staging`: one file name; unique because environment names are a closed set."""
        return f"{self.project}-{self.environment}"

    @classmethod
    def of_slug(cls, slug: str) -> "EnvironmentKey | None":
        """The environment whose slug this is, or None when it is none's."""
        found = _SLUG.fullmatch(slug)
        if found is None:
            return None
        try:
            return cls(ProjectName(found[1]), EnvironmentName(found[2]))
        except InvalidRequest:
            return None

    def container(self, slot: Slot) -> str:
        """The name of the container (and of the unit) that runs in `slot`."""
        return f"codeb-{self.slug}-{slot}"

    @property
    def network(self) -> str:
        """The network of the project: its environments reach each other, nobody else does."""
        return f"codeb-{self.project}"

    def volume(self, name: str) -> str:
        """Podman's name of the environment's volume `name`."""
        return f"codeb-{self.slug}-{name}"

    def job(self, name: str) -> str:
        """The name of the units of the environment's job `name`."""
        return f"codeb-{self.slug}-job-{name}"

    def domain(self, base: DomainName) -> DomainName:
        """`shop.base`, `staging.shop.base` or `pr-7.shop.base`."""
        host = f"{self.project}.{base}"
        if self.environment.kind is EnvironmentKind.PRODUCTION:
            return DomainName(host)
        return DomainName(f"{self.environment}.{host}")


@dataclass(frozen=True, slots=True)
class Environment:
    """One environment: its domain, its ports by kind, its newest release and the one it serves.

    `domains` are those that were added to its own, by name.
    """

    key: EnvironmentKey
    domain: DomainName
    ports: dict[PortKind, int] = field(default_factory=dict)
    live: Release | None = None
    latest: Release | None = None
    created_at: datetime | None = None
    jobs: tuple[Job, ...] = ()
    domains: tuple[CustomDomain, ...] = ()
    expires_at: datetime | None = None

    def expired(self, now: datetime) -> bool:
        """Whether its time is over; an environment without an end lives on."""
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, slots=True)
class Project:
    """Something deployed. `environments` is in the order in which they were made."""

    id: str
    name: ProjectName
    type: ProjectType
    repository: str
    config: ProjectConfig
    created_at: datetime
    updated_at: datetime
    environments: tuple[Environment, ...] = ()

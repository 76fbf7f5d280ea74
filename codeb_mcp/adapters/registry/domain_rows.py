"""The rows of domains, of which each environment has a primary one and any number added to it."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, insert, select, update

from codeb_mcp.adapters.registry.schema import domains, environments
from codeb_mcp.domain.domains import CustomDomain
from codeb_mcp.domain.names import DomainName
from codeb_mcp.errors import InvalidRequest


def insert_primary(connection: Connection, environment: int, domain: DomainName) -> None:
    """The domain that an environment gets by itself; InvalidRequest when it is another's."""
    owner = _owner(connection, domain)
    if owner is not None:
        raise _taken(domain, owner, "choose another project name or base domain")
    row = {"name": str(domain), "environment_id": environment, "is_primary": 1, "is_active": 1}
    connection.execute(insert(domains).values(row))


def insert_added(connection: Connection, environment: int | None, added: CustomDomain) -> None:
    """A domain beside the primary one; having it already is fine."""
    owner = _owner(connection, added.name)
    if owner is not None and owner.id != environment:
        there = f"codeb domain remove {owner.project} {added.name} --env {owner.name}"
        raise _taken(added.name, owner, f"remove it there first: {there}")
    if owner is None:
        row = {"name": str(added.name), "environment_id": environment}
        row |= {"is_primary": 0, "is_active": int(added.active)}
        connection.execute(insert(domains).values(row))


def activate(connection: Connection, environment: int | None, domain: DomainName) -> None:
    """Make an added domain an active one."""
    connection.execute(update(domains).where(*_added(environment, domain)).values(is_active=1))


def delete_added(connection: Connection, environment: int | None, domain: DomainName) -> None:
    """Forget an added domain; absent is fine."""
    connection.execute(delete(domains).where(*_added(environment, domain)))


def _owner(connection: Connection, domain: DomainName) -> Row[Any, Any, Any] | None:
    return connection.execute(
        select(environments.c.id, environments.c.project, environments.c.name)
        .join(domains, domains.c.environment_id == environments.c.id)
        .where(domains.c.name == str(domain))
    ).one_or_none()


def _added(environment: int | None, domain: DomainName) -> tuple[ColumnElement[bool], ...]:
    named = domains.c.name == str(domain)
    return named, domains.c.environment_id == environment, domains.c.is_primary == 0


def _taken(domain: DomainName, owner: Row[Any, Any, Any], hint: str) -> InvalidRequest:
    return InvalidRequest(
        f"the domain {domain} belongs to {owner.project}/{owner.name}",
        hint=hint,
        code="domain_taken",
    )

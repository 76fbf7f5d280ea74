"""The checks of a project, whatever it is made of."""

from collections.abc import Iterable
from dataclasses import dataclass

from codeb_mcp.planning.workflow_steps import Step


@dataclass(frozen=True, slots=True)
class Checks:
    """Steps by job. `setup` comes before those of each of them."""

    setup: tuple[Step, ...] = ()
    quality: tuple[Step, ...] = ()
    audit: tuple[Step, ...] = ()
    tests: tuple[Step, ...] = ()
    e2e: tuple[Step, ...] = ()


def joined(several: Iterable[Checks]) -> Checks:
    """All of them, for a folder that is made of several things."""
    every = tuple(several)
    return Checks(
        setup=tuple(step for each in every for step in each.setup),
        quality=tuple(step for each in every for step in each.quality),
        audit=tuple(step for each in every for step in each.audit),
        tests=tuple(step for each in every for step in each.tests),
        e2e=tuple(step for each in every for step in each.e2e),
    )

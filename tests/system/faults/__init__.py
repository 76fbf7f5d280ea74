"""Systems that are there and do not do what they should: a relay in front of the real one."""

from .site import FAULTS, SYSTEMS, Faulty

__all__ = ["FAULTS", "SYSTEMS", "Faulty"]

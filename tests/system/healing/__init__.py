"""Broken projects, the checks that fail on them, and models that repair or cheat."""

from .projects import PROJECTS, Broken, Edit
from .workbench import EndlessApi, Workbench, installed_packages, repairs

__all__ = [
    "PROJECTS",
    "Broken",
    "Edit",
    "EndlessApi",
    "Workbench",
    "installed_packages",
    "repairs",
]

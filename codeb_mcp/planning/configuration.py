"""A project's settings as people write them, `memory=512m`, and as the project holds them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from codeb_mcp.domain.confinement import (
    CAPABILITIES,
    Volume,
    memory_text,
    parse_capabilities,
    parse_cpus,
    parse_memory,
    parse_pids,
)
from codeb_mcp.domain.names import HealthPath, VariableName, shown
from codeb_mcp.domain.project import ProjectConfig, command_words
from codeb_mcp.errors import InvalidRequest

Settings: TypeAlias = Mapping[str, str]

# Each key with an example and what reads it; an empty value takes the setting away.
_CONFINED: dict[str, tuple[str, str, Callable[[str], Any]]] = {
    "memory": ("memory", "512m", lambda text: parse_memory(text) if text else None),
    "cpus": ("cpus", "0.5", lambda text: parse_cpus(text) if text else None),
    "pids": ("pids", "256", lambda text: parse_pids(text) if text else None),
    "caps": ("capabilities", CAPABILITIES[0], lambda text: parse_capabilities(_items(text))),
    "read_only": ("read_only", "true", lambda text: _truth("read_only", text)),
    "volumes": (
        "volumes",
        "data:/var/lib/data",
        lambda text: tuple(sorted(Volume.parse(each) for each in _items(text))),
    ),
}
_PLAIN: dict[str, tuple[str, str, Callable[[str], Any]]] = {
    "port": ("port", "8080", lambda text: _port(text) if text else None),
    "health_check": ("health_check", "/health", lambda text: HealthPath(text or "/")),
    "start_command": ("start_command", "node server.js", lambda text: _command(text) or None),
    "require": (
        "env_vars",
        "DATABASE_URL",
        lambda text: tuple(VariableName(each) for each in _items(text)),
    ),
}
KEYS = (*_CONFINED, *_PLAIN)


def parse_settings(texts: Iterable[str]) -> Settings:
    """`memory=512m`, one or more, as settings. InvalidRequest for a key that there is none of."""
    settings = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or name not in KEYS:
            examples = {**_CONFINED, **_PLAIN}
            raise InvalidRequest(
                f"{shown(text)} is not a setting",
                hint="use NAME=VALUE with one of: "
                + ", ".join(f"{key}={example}" for key, (_, example, _) in examples.items())
                + "; an empty value takes a setting away",
                code="unknown_setting",
            )
        settings[name] = value
    return settings


def changed_config(config: ProjectConfig, settings: Settings) -> ProjectConfig:
    """`config` with `settings` in force. InvalidRequest for a value that is not valid."""
    confined = {
        field: read(settings[name])
        for name, (field, _, read) in _CONFINED.items()
        if name in settings
    }
    plain = {
        field: read(settings[name]) for name, (field, _, read) in _PLAIN.items() if name in settings
    }
    return replace(config, confinement=replace(config.confinement, **confined), **plain)


def settings_of(config: ProjectConfig) -> dict[str, str]:
    """The settings that say something, as `parse_settings` reads them."""
    confined = config.confinement
    found = {
        "memory": memory_text(confined.memory) if confined.memory else "",
        "cpus": f"{confined.cpus:g}" if confined.cpus else "",
        "pids": str(confined.pids or ""),
        "caps": ",".join(confined.capabilities),
        "read_only": "true" if confined.read_only else "",
        "volumes": ",".join(map(str, confined.volumes)),
        "port": str(config.port or ""),
        "health_check": str(config.health_check),
        "start_command": config.start_command or "",
        "require": ",".join(config.env_vars),
    }
    return {name: value for name, value in found.items() if value}


def _items(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _truth(name: str, text: str) -> bool:
    words = {"true": True, "yes": True, "false": False, "no": False, "": False}
    if text.lower() not in words:
        raise InvalidRequest(
            f"{name}={shown(text)} is neither true nor false",
            hint=f"use {name}=true or {name}=false",
            code="invalid_setting",
        )
    return words[text.lower()]


def _port(text: str) -> int:
    port = int(text) if text.isascii() and text.isdecimal() and len(text) <= 5 else 0
    if not 1 <= port <= 65535:
        raise InvalidRequest(
            f"{shown(text)} is not a TCP port", hint="use 1 to 65535", code="invalid_port"
        )
    return port


def _command(text: str) -> str:
    if len(text) > 1000 or not text.isprintable():
        raise InvalidRequest(
            "the start command holds control characters or is over 1000 characters",
            hint="use one printable line",
            code="invalid_text",
        )
    command_words(text)
    return text

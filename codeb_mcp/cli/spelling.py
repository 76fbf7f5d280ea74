"""Hints in the words of the command line: services name the tools, a person types commands."""

import re

_COMMANDS = {
    "deploy": "deploy",
    "read_logs": "logs",
    "get_status": "status",
    "list_domains": "domain list",
    "init_project": "init",
}
_OPTIONS = {"environment": "--env {}", "release": "--release {}"}
_CALL = re.compile(rf"\b({'|'.join(_COMMANDS)}) (?:project|name)=([\w.-]+)((?: \w+=[\w.-]+)*)")


def as_commands(hint: str) -> str:
    """`hint` with each call of a tool as the command that does the same."""
    return _CALL.sub(lambda call: _command(*call.groups()), hint)


def _command(tool: str, project: str, arguments: str) -> str:
    given = (argument.split("=") for argument in arguments.split())
    options = (_OPTIONS.get(name, f"--{name} {{}}").format(value) for name, value in given)
    return " ".join(("codeb", _COMMANDS[tool], project, *options))

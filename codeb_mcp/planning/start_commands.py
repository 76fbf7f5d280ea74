"""How a start command is written into a Containerfile."""

import json
import re
import shlex

_SHELL = re.compile(r"[$`|&;<>(){}*?~#\n]|^\w+=")
_PROCFILE = re.compile(r"^web:\s*(\S.*)$", re.MULTILINE)


def cmd(command: str) -> str:
    """The JSON of a `CMD`: the words themselves, or a shell where the command needs one.

    `exec` makes the application process 1, so that it hears the signal to stop.
    """
    if _SHELL.search(command):
        simple = not re.search(r"[|&;\n]|^\w+=", command)
        return json.dumps(["sh", "-c", f"exec {command}" if simple else command])
    return json.dumps(shlex.split(command))


def procfile_web(text: str) -> str | None:
    """The command of a Procfile's `web` process."""
    found = _PROCFILE.search(text)
    return found[1].strip() if found else None

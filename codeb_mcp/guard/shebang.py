"""The language of a file whose name does not say it."""

import re
from collections.abc import Sequence

from codeb_mcp.guard.places import Language

_INTERPRETERS = (
    (re.compile(r"^#!.*\b(?:ba|z|k|da|a)?sh\b|^#!.*\bbats\b"), Language.SHELL),
    (re.compile(r"^#!.*\bpython[\d.]*\b|^#!.*\buv run\b"), Language.PYTHON),
    (re.compile(r"^#!.*\b(?:node|deno|bun|tsx)\b"), Language.JS),
    (re.compile(r"^#!.*\bruby\b"), Language.RUBY),
    (re.compile(r"^#!.*\bperl\b"), Language.PERL),
    (re.compile(r"^#!.*\bmake\b"), Language.MAKE),
)
_SHELL = re.compile(
    r"^\s*(?:fi|done|esac|then|else)\s*(?:;.*)?$|\bif \[|\[\[ |\$\(|\"\$|\$\{|^\s*(?:local|export"
    r"|set [-+]"
    r"|source|echo|declare|exit) |[|&]{2} |^\s*[\w-]+\(\) ?\{|2>&1|&>|/dev/null"
)
_PYTHON = re.compile(r"^\s*(?:def \w+\(|import \w+$|from \w[\w.]* import |class \w+.*:$|elif .*:$)")


def language_of_text(first: str, lines: Sequence[str]) -> Language:
    """By the interpreter that `first` names, or by how the lines look."""
    for pattern, language in _INTERPRETERS:
        if pattern.search(first):
            return language
    shell = sum(1 for line in lines if _SHELL.search(line))
    python = sum(1 for line in lines if _PYTHON.search(line))
    if shell and shell >= python:
        return Language.SHELL
    return Language.PYTHON if python else Language.OTHER

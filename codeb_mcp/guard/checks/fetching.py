"""Code that is fetched or decoded and then run."""

import re
from collections.abc import Iterator
from itertools import pairwise

from codeb_mcp.guard.places import Language
from codeb_mcp.guard.reading import Hit, Reading
from codeb_mcp.guard.rules import Severity
from codeb_mcp.guard.shell import Command, Item, commands_of
from codeb_mcp.guard.words import words

Trick = tuple[str, Item, Severity, str]
"""A rule, the item that it is about, how much it weighs, and what was found."""

_DECODERS = re.compile(
    r"^(?:base64|base32|xxd|openssl|rev|tr|gunzip|zcat|gzip|uudecode|printf|echo|hexdump|od)$"
)
_INTERPRETERS = words("sh bash dash zsh ksh ash fish python python3 node perl ruby php pwsh")
_FETCHERS = words("curl wget fetch http https aria2c iwr invoke-webrequest")
_EVALUATED = re.compile(
    r"\b(?:exec|eval|compile|Function|execSync|os\.system|__import__)\(.{0,120}(?:b64decode|base64"
    r"|atob\(|Buffer\.from\(|fromhex|codecs\.decode|decompress)"
    r"|FromBase64String.{0,80}(?:iex|Invoke-Expression)|(?:iex"
    r"|Invoke-Expression).{0,80}FromBase64String",
    re.I,
)
_FETCH_RUN = re.compile(
    r"\b(?:exec|eval)\(.{0,40}(?:requests\.get|urlopen|fetch\()|\b(?:iex"
    r"|Invoke-Expression)\b.{0,60}(?:iwr|irm|Invoke-WebRequest|DownloadString)"
    r"|(?:iwr|irm|Invoke-WebRequest|DownloadString).{0,120}\| ?(?:iex|Invoke-Expression)",
    re.I,
)


_INTO = frozenset(("-o", "-O", "--output", "--output-document"))
_VERIFIED = re.compile(r"\b(?:sha\d+sum|shasum|gpgv?|cosign|minisign|openssl dgst)\b")
_ROUNDABOUT = _FETCHERS | words("base64 b64decode atob iex frombase64string xxd openssl fromhex")
_RUNNERS = words("exec eval compile function execsync system __import__ iex invoke")
_SOURCES = words(
    "b64decode base64 atob buffer fromhex codecs decompress frombase64string requests urlopen "
    "fetch iwr irm invoke downloadstring"
)


def pipe_tricks(items: list[Item], at: int) -> Iterator[Trick]:
    """`A | sh`, `curl … | sh`, `A | true`."""
    item = items[at]
    if item.before not in ("|", "|&") or not isinstance(item.node, Command):
        return
    start = at
    while start > 0 and items[start].before in ("|", "|&"):
        start -= 1
    upstream = commands_of(items[start:at])
    runs = item.node.name in _INTERPRETERS and not _has_script(item.node)
    if item.node.name in ("xargs", "env", "source", ".") and item.node.words[1:2]:
        runs = item.node.words[1] in _INTERPRETERS or item.node.words[1] == "/dev/stdin"
    if not runs:
        return
    names = [c.name.lower() for c in upstream]
    if any(name in _FETCHERS for name in names):
        yield "remote-code", item, Severity.BLOCK, "fetched and run"
    elif any(_DECODERS.match(name) for name in names):
        yield "obfuscated-command", item, Severity.BLOCK, "decoded and run"


def _has_script(command: Command) -> bool:
    for word in command.words[1:]:
        if word in (
            "-s",
            "-",
            "-e",
            "-x",
            "-eu",
            "-ex",
            "-eux",
            "-l",
            "-i",
            "-o",
            "pipefail",
            "--",
            "/dev/stdin",
        ):
            if word in ("-s", "--"):
                return False
            continue
        return not word.startswith("-") or word.startswith("-c")
    return False


def remote_hits(reading: Reading) -> Iterator[Hit]:
    """What is fetched and run without a pipe: `sh <(curl …)`, `eval "$(curl …)"`."""
    if reading.words.isdisjoint(_ROUNDABOUT):
        return
    for found in reading.scripts:
        for kind, script in found.script.inner:
            if kind == "substitution":
                for command in script.commands():
                    for outer in found.script.commands():
                        if outer.line == command.line and _runs_text(outer):
                            rule = "remote-code" if command.name in _FETCHERS else ""
                            if command.name in ("base64", "xxd", "openssl"):
                                rule = "obfuscated-command"
                            if rule:
                                yield reading.hit(
                                    rule, Severity.BLOCK, outer.line, "substituted and run"
                                )
    yield from _saved_and_run(reading)
    if reading.place.language is Language.PROSE:
        return
    if reading.words.isdisjoint(_RUNNERS) or reading.words.isdisjoint(_SOURCES):
        return
    for index, line in enumerate(reading.live):
        if _EVALUATED.search(line):
            yield reading.hit("obfuscated-command", Severity.BLOCK, index, "decoded and run")
        elif _FETCH_RUN.search(line):
            yield reading.hit("remote-code", Severity.BLOCK, index, "fetched and run")


def _saved_and_run(reading: Reading) -> Iterator[Hit]:
    """`curl … > FILE` and `sh FILE`, with no look at what came."""
    for found in reading.scripts:
        saved: set[str] = set()
        for command in found.script.commands():
            if command.name in _FETCHERS:
                saved |= {each.lstrip("> ") for each in command.redirects}
                saved |= {word for flag, word in pairwise(command.words) if flag in _INTO}
            runs = command.words[1:2] if command.name in _INTERPRETERS else command.words[:1]
            if saved.intersection(runs) and not _VERIFIED.search(found.text):
                yield reading.hit("remote-code", Severity.BLOCK, command.line, "saved and run")


def _runs_text(command: Command) -> bool:
    if command.name in ("eval", "source", "."):
        return True
    return command.name in _INTERPRETERS and (
        any(word.startswith(("<(", "$(")) for word in command.words[1:])
    )

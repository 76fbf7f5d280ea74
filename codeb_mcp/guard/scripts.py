"""The shell scripts that files of other kinds hold: workflows, Makefiles, images, manifests."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from codeb_mcp.guard.entries import ITEM, Entry, entries
from codeb_mcp.guard.places import Language, Role
from codeb_mcp.guard.shell import Script, parse_script
from codeb_mcp.guard.sides import Side
from codeb_mcp.guard.words import words

_RUN_KEYS = words(
    "run script scripts before_script after_script commands cmd cmds sh bash command shell "
    "inlinescript entry exec pre_build build_commands install post_build preinstall "
    "postinstall"
)
_ARGV_KEYS = frozenset(("command", "args", "entrypoint", "test", "cmd"))
_SCRIPT_KEYS = re.compile(
    r"(?:^|\.)(?:scripts|hooks|lint-staged|tasks|commands?|cmds?)(?:\.|$)|command$|script$|\.run$",
    re.I,
)
_INSTRUCTION = re.compile(
    r"\s*(RUN|CMD|ENTRYPOINT|HEALTHCHECK|SHELL|FROM|COPY|ADD|ENV|ARG|USER|WORKDIR|EXPOSE|LABEL"
    r"|VOLUME"
    r"|ONBUILD|STOPSIGNAL|MAINTAINER)\b[ \t]*(.*)$",
    re.I,
)
_RUN_OPTIONS = re.compile(r"(?:--\w[\w-]*(?:=\S*)?\s+)*")
_EXEC_LIST = re.compile(r'"((?:\\.|[^"\\\n])*)"')
_RUNNERS = words(
    "system popen getoutput getstatusoutput exec execsync execfilesync execfile execa execacommand "
    "execvp spawn spawnsync sh bat run runsync call check_call check_output shell shell_exec "
    "passthru proc_open new command commandcontext processbuilder %x $ create_subprocess_shell "
    "create_subprocess_exec sudo local popen2 popen3 capture2 capture3 start cmd bash backtick"
)
"""What hands its first string to a shell, or starts its arguments as a program."""
_NAME_PARTS = frozenset("._:%$")
_UNIT_EXEC = re.compile(r"(Exec\w*|PodmanArgs|HealthCmd)\s*=\s*([-@:+!|]*)(.*)$")


@dataclass(frozen=True, slots=True)
class Found:
    """A script with the place it was found in. `index` is its first line in the side."""

    script: Script
    index: int
    key: str
    text: str
    ignoring: bool = False
    """Whether a mark before the command says that its failure does not matter."""


def scripts(side: Side) -> Iterator[Found]:
    """Every script of a side; their lines are indexes into the side."""
    match side.place.language:
        case Language.SHELL:
            yield _found(side.text, 0, "")
        case Language.YAML:
            yield from _of_yaml(side)
        case Language.JSON | Language.TOML:
            yield from _of_entries(side)
        case Language.JS if "staged" in side.place.name:
            yield from _of_entries(side)
        case Language.INI:
            yield from _of_ini(side)
        case Language.MAKE:
            yield from _of_make(side)
        case Language.DOCKER:
            yield from _of_docker(side)
        case Language.UNIT:
            yield from _of_unit(side)
        case Language.PROSE | Language.CSS | Language.SQL | Language.IGNORE:
            return
        case Language.OTHER:
            if side.place.role in (Role.HOOK, Role.CI):
                yield _found(side.text, 0, "")
        case _:
            yield from _of_strings(side)


def _found(text: str, index: int, key: str, ignoring: bool = False) -> Found:
    return Found(parse_script(text, index), index, key, text, ignoring)


def _of_yaml(side: Side) -> Iterator[Found]:
    lists: dict[tuple[str, ...], list[Entry]] = {}
    for entry in entries(side):
        last = entry.last.lower()
        if entry.block:
            if last in _RUN_KEYS or last in ("entrypoint", "args", "test"):
                yield _found(entry.value, entry.index, entry.key)
        elif last in _ARGV_KEYS and entry.path[-1] == ITEM:
            lists.setdefault((*entry.path, str(entry.item if last == "script" else "")), []).append(
                entry
            )
        elif entry.value and (last in _RUN_KEYS or last in ("entrypoint", "test", "options")):
            yield _found(entry.value, entry.index, entry.key)
    for found in lists.values():
        words = [each.value for each in found if each.value not in ("CMD", "CMD-SHELL", "NONE")]
        text = " ".join(w if " " not in w else _quoted(w) for w in words)
        if len(words) == 1:
            text = words[0]
        yield _found(text, found[0].index, found[0].key)


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


def _of_entries(side: Side) -> Iterator[Found]:
    for entry in entries(side):
        if entry.value and ("staged" in side.place.name or _SCRIPT_KEYS.search(entry.key)):
            text = entry.value.replace('\\"', '"').replace("\\\\", "\\")
            ignoring = side.place.language is Language.INI and text.startswith("- ")
            yield _found(text.removeprefix("- "), entry.index, entry.key, ignoring)


def _of_ini(side: Side) -> Iterator[Found]:
    """Commands of a key, one a line as `tox.ini` has them."""
    lines = side.live_lines()
    seen: set[int] = set()
    for entry in entries(side):
        if entry.index in seen or not entry.value or not _SCRIPT_KEYS.search(entry.key):
            continue
        seen.add(entry.index)
        text = entry.value if entry.path[-1] != ITEM else lines[entry.index].strip()
        yield _found(text.removeprefix("- "), entry.index, entry.key, text.startswith("- "))


def _of_make(side: Side) -> Iterator[Found]:
    lines = side.lines
    at = 0
    while at < len(lines):
        first = at
        text = lines[at]
        while text.endswith("\\") and at + 1 < len(lines):
            at += 1
            text += "\n" + lines[at]
        at += 1
        if not text.startswith(("\t", "    ", "  ")):
            _, semicolon, inline = text.partition(";")
            if not (semicolon and ":" in text.split(";")[0]):
                continue
            text = "\t" + inline
        body = text.lstrip()
        marks = re.match(r"[@+\- ]*", body)
        prefix = marks.group() if marks else ""
        body = body[len(prefix) :].replace("$$", "$")
        yield _found(body, first, "recipe", "-" in prefix)


def _of_docker(side: Side) -> Iterator[Found]:
    lines = side.lines
    at = 0
    if lines and not _INSTRUCTION.match(lines[0]):
        # the fragment begins in the middle of an instruction
        end = next((i for i, line in enumerate(lines) if _INSTRUCTION.match(line)), len(lines))
        yield _found("\n".join(lines[:end]), 0, "RUN")
        at = end
    while at < len(lines):
        match = _INSTRUCTION.match(lines[at])
        if match is None:
            at += 1
            continue
        first = at
        body = [match[2]]
        while at + 1 < len(lines) and (lines[at].rstrip().endswith("\\") or _is_comment(lines, at)):
            at += 1
            # a comment between continued lines does not end them
            body.append("\\" if _is_comment(lines, at) else lines[at])
        at += 1
        name = match[1].upper()
        if name not in ("RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK", "ONBUILD"):
            continue
        text = _RUN_OPTIONS.sub("", body[0], count=1)
        if text.startswith("CMD "):
            text = text[4:]
        if heredoc := re.match(r"<<-?[\"']?(\w+)", text):
            end = next(
                (i for i in range(at, len(lines)) if lines[i].strip() == heredoc[1]), len(lines)
            )
            yield _found("\n".join(lines[at:end]), at, name)
            at = end + 1
            continue
        whole = "\n".join([text, *body[1:]])
        if whole.lstrip().startswith("["):
            whole = " ".join(_quoted(w) for w in _EXEC_LIST.findall(whole))
        yield _found(whole, first, name)


def _is_comment(lines: list[str], at: int) -> bool:
    return at < len(lines) and lines[at].lstrip().startswith("#")


def _of_unit(side: Side) -> Iterator[Found]:
    for index, line in enumerate(side.lines):
        if match := _UNIT_EXEC.match(line):
            yield _found(match[3], index, match[1], "-" in match[2])


def _of_strings(side: Side) -> Iterator[Found]:
    """Strings that code hands to a shell, and argument lists that it runs."""
    code = side.masked.code
    strings = side.masked.strings
    skip_until = -1
    for number, (offset, text) in enumerate(strings):
        if offset < skip_until:
            continue
        if not _is_run(code, offset):
            continue
        words = [_content(text)]
        end = offset + len(text)
        for following, other in strings[number + 1 : number + 40]:
            if code[end:following].strip(" \t\n,") not in ("", "f", "r", "b"):
                break
            words.append(_content(other))
            end = following + len(other)
        skip_until = end
        script = (
            words[0]
            if len(words) == 1
            else " ".join(w if w and " " not in w else _quoted(w) for w in words)
        )
        yield _found(script, side.index_at(offset), "string")


def _is_run(code: str, offset: int) -> bool:
    """Whether the string at `offset` is what a call before it runs."""
    end = offset
    while end > 0 and offset - end < 40 and code[end - 1] in " \t\n([`":
        end -= 1
    if code[max(0, end - 4) : end] == "ctx,":
        end = max(0, end - 5)
    start = end
    while (
        start > 0
        and end - start < 60
        and (code[start - 1].isalnum() or code[start - 1] == "_" or code[start - 1] in _NAME_PARTS)
    ):
        start -= 1
    name = code[start:end].replace("::", ".").rsplit(".", 1)[-1].lower()
    return name in _RUNNERS


def _content(text: str) -> str:
    body = text.lstrip("rRbBfFuU")
    quotes = 3 if body[:3] in ('"""', "'''") else 1
    return body[quotes:-quotes]

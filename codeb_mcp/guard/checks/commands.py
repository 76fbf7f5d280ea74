"""What shell commands do with failure: ignored, turned around, tried until it passes."""

import re
from collections.abc import Iterator, Sequence

from codeb_mcp.guard.checks.families import families_of, is_check
from codeb_mcp.guard.checks.fetching import Trick, pipe_tricks
from codeb_mcp.guard.checks.patterns import command_text
from codeb_mcp.guard.places import Role
from codeb_mcp.guard.reading import Hit, Reading
from codeb_mcp.guard.rules import Severity
from codeb_mcp.guard.scripts import Found
from codeb_mcp.guard.shell import Command, Group, Item, commands_of
from codeb_mcp.guard.words import words

_REDEFINED = re.compile(
    r"(?m)^[ \t]*(?:function )?(npm|pnpm|yarn|npx|pytest|jest|vitest|eslint|tsc|mypy|ruff|go|cargo)"
    r"[ \t]*\(\)|^[ \t]*alias (npm|pnpm|yarn|npx|pytest|jest|vitest|eslint|tsc|mypy|ruff|go|cargo)="
    r"[\"']?(?:true|:|echo)\b"
)
"""A check's program that is replaced by a function or an alias."""
_NOTHING = frozenset(("true", ":", "(true)"))
_QUIET = words(
    "echo printf cat test [ [[ (( cd pwd sleep date ls wait read set shift unset export logger "
    "tput "
    "seq head tail wc whoami hostname uname touch local let clear tee say notify info warn warning "
    "log log_info log_warn log_warning print debug"
)
_FAILING = re.compile(
    r"^(?:false|die|fail|abort|panic|error|err|fatal|bail|exit_with\w*|log_fail\w*|kill|throw)"
)
_CLEANUP = words(
    "rimraf del-cli rm rmdir kill pkill killall umount popd pushd dropdb dropuser userdel "
    "groupdel deluser unlink "
    "losetup "
    "swapoff wait fuser rmmod modprobe mkdir ln chown cp mv touch stty tput reset xattr"
)
_CLEANUP_PAIRS = re.compile(
    r"^(?:(?:docker|podman|nerdctl)(?:[ -]compose)? (?:\S+ ){0,3}(?:rm|rmi|stop|kill|down|prune"
    r"|unmount|logout)\b"
    r"|(?:docker|podman) (?:container|image|volume|network|system|pod|builder) (?:rm|prune|stop"
    r"|kill|disconnect|create|inspect)\b"
    r"|(?:docker|podman) (?:network|volume) create\b|brew (?:untap|uninstall|unlink|doctor|link)\b"
    r"|git (?:\S+ ){0,2}(?:worktree (?:remove|prune)|branch -[dD]|tag -d|remote (?:remove|rm|add)"
    r"|stash|rev-parse|describe|symbolic-ref"
    r"|config --(?:get|unset)|rebase --abort|merge --abort|am --abort|fetch --unshallow|diff"
    r"|show-ref|ls-files|clean|reset)\b"
    r"|systemctl (?:--\S+ )*(?:stop|disable|reset-failed|is-active|is-enabled|kill)\b"
    r"|service \S+ stop\b"
    r"|(?:apt|apt-get) (?:\S+ )?(?:remove|purge|clean|autoremove)\b|ip (?:link|addr|netns|route"
    r"|rule) (?:del|delete)\b"
    r"|iptables -[DFX]|kubectl (?:\S+ ){0,3}(?:delete|get)\b|helm (?:uninstall|delete)\b|redis-cli"
    r"|lsof|lsmod"
    r"|apachectl stop|nginx -s|tmux kill|screen -X|launchctl (?:unload|remove|bootout)"
    r"|security delete"
    r"|(?:command|type|hash|which) |deactivate|terraform destroy|vagrant destroy|umount|losetup -d)"
)
_PROBES = words(
    "grep egrep fgrep rg pgrep diff cmp read getent id command which type hash pidof ls stat test "
    "[ "
    "[[ (( "
    "expr let wc find jq yq readlink realpath cat head tail awk sed cut sort lsof nc ping dig "
    "nslookup "
    "dpkg-query dpkg rpm tty timedatectl"
)
_IDLE = re.compile(r"^\s*(?:\d+|true|pass|null|(?:process\.|sys\.)?exit\(? ?0? ?\)?);?\s*$")
_ONE_LINE = frozenset(("RUN", "recipe"))
"""Keys of scripts of which the shell returns only the last command's result."""
_TESTS = frozenset(("[", "[[", "test", "((", "let", "expr"))


def command_hits(reading: Reading) -> Iterator[Hit]:
    """Every command on this side whose failure would not be noticed."""
    for found in reading.scripts:
        yield from _script_hits(reading, found)


def _script_hits(reading: Reading, found: Found) -> Iterator[Hit]:
    severity = Severity.REVIEW if reading.place.role is Role.FIXTURE else Severity.BLOCK
    if found.ignoring and any(is_check(c.words) or c.words for c in found.script.commands()):
        first = next(iter(found.script.commands()))
        weight = Severity.REVIEW if _is_cleanup([first]) else severity
        yield reading.hit("error-ignored", weight, found.index, "-" + command_text(first)[:120])
    for match in _REDEFINED.finditer(found.text):
        index = found.index + found.text.count("\n", 0, match.start())
        yield reading.hit("error-ignored", severity, index, match.group().strip())
    for kind, items in found.script.lists():
        for rule, item, weight, what in _list_hits(kind, items, found):
            line = item.node.line
            yield reading.hit(rule, min(weight, severity, key=_rank), line, what, host=what)
    for command in found.script.commands():
        if what := _command_trick(command, found):
            weight = Severity.REVIEW if what.startswith("?") else severity
            yield reading.hit("error-ignored", weight, command.line, what.lstrip("?"))


def _rank(severity: Severity) -> int:
    return 0 if severity is Severity.REVIEW else 1


def _list_hits(kind: str, items: list[Item], found: Found) -> Iterator[Trick]:
    for at, item in enumerate(items):
        if item.before == "||":
            yield from _alternative(kind, items, at, found)
        yield from _sequence(kind, items, at, found)
        yield from pipe_tricks(items, at)
        yield from _piped_to_true(items, at)
        yield from _loop(kind, items, at)
        yield from _passed_over(kind, items, at, found)
        if isinstance(item.node, Group):
            yield from _condition(item)


def _chain_start(items: list[Item], at: int) -> int:
    while at > 0 and items[at].before in ("&&", "||", "|", "|&"):
        at -= 1
    return at


def _chain_end(items: list[Item], at: int) -> int:
    end = at + 1
    while end < len(items) and items[end].before in ("&&", "|", "|&"):
        end += 1
    return end


def _alternative(kind: str, items: list[Item], at: int, found: Found) -> Iterator[Trick]:
    """`A || B` where B neither fails nor does what A should have done."""
    right = items[at : _chain_end(items, at)]
    left = commands_of(items[_chain_start(items, at) : at])
    how = _swallows(right) or _another_check(left, commands_of(right))
    if not how or any(item.tested for item in items[_chain_start(items, at) : at]):
        return
    if how == "assignment" and _looked_at(items[at].node, found):
        return
    what = " && ".join(command_text(c) for c in left)[:160] + " || " + how
    checked = any(is_check(c.words) for c in left)
    if not left and items[at - 1 : at]:
        yield "error-ignored", items[at], Severity.BLOCK, what
        return
    last = left[-1] if left else None
    if last is not None and last.name in _TESTS and not checked:
        if how in ("exit 0", "return 0"):
            yield "error-ignored", items[at], Severity.REVIEW, what
        return
    if kind == "substitution" and not checked:
        if how in ("true", "exit 0"):
            yield "error-ignored", items[at], Severity.REVIEW, what
        return
    gentle = not checked and (_is_cleanup(left) or kind == "trap" or how in ("continue", "break"))
    if gentle and how not in ("true", "exit 0", "continue", "break"):
        return
    yield "error-ignored", items[at], Severity.REVIEW if gentle else Severity.BLOCK, what


def _another_check(left: Sequence[Command], right: Sequence[Command]) -> str:
    """The check after `||` that has nothing to do with the one that failed before it."""
    one = frozenset(f for command in left for f in families_of(command.words)) - {"build"}
    other = frozenset(f for command in right for f in families_of(command.words)) - {"build"}
    return command_text(right[0])[:80] if one and other and one.isdisjoint(other) else ""


def _looked_at(node: Command | Group, found: Found) -> bool:
    """Whether what `|| code=$?` keeps is tested or returned later."""
    if not isinstance(node, Command) or not node.assignments:
        return False
    name, value = node.assignments[0]
    later = rf"(?:\bexit|\breturn|\[|\(\(|\btest)[^\n;]{{0,60}}\b{re.escape(name)}\b"
    return value == "$?" and bool(re.search(later, found.text))


def _is_cleanup(commands: Sequence[Command]) -> bool:
    if not commands:
        return False
    last = commands[-1]
    return (
        last.name in _CLEANUP
        or last.name in _PROBES
        or bool(_CLEANUP_PAIRS.match(command_text(last)))
        or bool(
            re.match(
                r"(?:upload|notify|report|collect|dump|send|post|annotate|slack|archive)[_-]"
                r"|(?:(?:un|de)?(?:install|register)|teardown|cleanup|clean|destroy|remove|delete"
                r"|stop)_",
                last.name,
            )
        )
        or last.name.startswith(
            ("uninstall", "cleanup", "teardown", "clean_", "destroy", "delete", "remove")
        )
    )


def _swallows(right: list[Item]) -> str:
    """How the right side of `||` lets the failure go; empty when it does not."""
    commands = commands_of(right)
    if not commands:
        return "nothing" if right else ""
    if any(_fails(c, alone=len(commands) == 1) for c in commands):
        return ""
    if all(not command.words for command in commands):
        return "assignment" if len(commands) == 1 and commands[0].assignments else ""
    commands = [command for command in commands if command.words]
    first = commands[0]
    if first.name == "travis_terminate" and first.words[1:] == ("0",):
        return "exit 0"
    if first.name == "eval" and first.words[1:]:
        said = first.words[1].split()[:1]
        return "eval" if said and (said[0] in _NOTHING or said[0] == "$(…)") else ""
    if first.words[0] in ("$(…)",):
        return "substitution" if len(first.words) == 1 else ""
    if re.fullmatch(r"[\d\s=<>+-]+", command_text(first)):
        return "true"
    if first.name in _NOTHING or (first.name in ("test", "[") and len(commands) == 1):
        return "true"
    if first.name in ("exit", "return"):
        return f"{first.name} 0"
    if first.name in ("continue", "break"):
        return first.name
    if len(first.words) == 3 and first.words[1] in ("-e", "-c") and _IDLE.match(first.words[2]):
        return first.name
    if first.words[-1] in ("version", "--version", "--help") and len(commands) == 1:
        return first.name
    if all(
        c.name in _QUIET or c.name in _NOTHING or c.name in ("exit", "return") or not c.words
        for c in commands
    ):
        return first.name
    return ""


def _fails(command: Command, alone: bool) -> bool:
    name, words = command.name, command.words
    if name in ("exit", "return"):
        if len(words) == 1:
            return alone
        return words[1] not in ("0", "00", "$(…)")
    return bool(name and _FAILING.match(name) and name not in _QUIET)


def _sequence(kind: str, items: list[Item], at: int, found: Found) -> Iterator[Trick]:
    """`A; true`, `A; exit 0`, `A &`, `! A`."""
    item = items[at]
    node = item.node
    if not isinstance(node, Command):
        return
    checked = is_check(node.words)
    if checked and item.after == "&" and not re.search(r"(?:^|[\s;])wait\b", found.text):
        yield "error-ignored", item, Severity.BLOCK, command_text(node) + " &"
    if checked and item.negated and not item.tested and kind not in ("while", "until"):
        yield "error-ignored", item, Severity.BLOCK, "! " + command_text(node)
    if item.before or item.tested or item.negated:
        return
    nothing = node.name in _NOTHING and len(node.words) == 1
    leaves = node.name in ("exit", "return") and node.words[1:] == ("0",)
    if not nothing and not leaves:
        return
    before = at
    while before > 1 and items[before - 1].after == ";" and _says(items[before - 1]):
        before -= 1
    previous = items[before - 1] if before else None
    if previous and previous.branch == item.branch and not previous.tested:
        prior = commands_of(items[_chain_start(items, before - 1) : before])
        real = [c for c in prior if c.words and c.name not in _QUIET and c.name not in _NOTHING]
        if real and (previous.after == ";" or (leaves and is_check(real[-1].words))):
            weight = (
                Severity.REVIEW
                if _is_cleanup(real) and not is_check(real[-1].words)
                else Severity.BLOCK
            )
            if leaves and previous.after != ";" and any(c.name == "set" for c in prior):
                weight = Severity.REVIEW
            yield "error-ignored", item, weight, f"{command_text(real[-1])[:120]} ; {node.name}"
            return
    following = items[at + 1 :]
    if (
        leaves
        and node.name == "exit"
        and kind == "script"
        and item.after != ";;"
        and _goes_on(item, following)
    ):
        yield "error-ignored", item, Severity.BLOCK, "exit 0 before the rest"


def _says(item: Item) -> bool:
    """Whether an item only prints something."""
    return isinstance(item.node, Command) and item.node.name in ("echo", "printf")


def _goes_on(item: Item, following: list[Item]) -> bool:
    if any(isinstance(each.node, Group) and each.node.kind == "unknown" for each in following):
        return False
    return any(
        each.branch == item.branch
        and isinstance(each.node, Command)
        and each.node.words
        and each.node.name not in ("exit", "return")
        for each in following
    ) and all(each.branch == item.branch for each in following)


def _piped_to_true(items: list[Item], at: int) -> Iterator[Trick]:
    item = items[at]
    if item.before == "|" and isinstance(item.node, Command) and item.node.name in _NOTHING:
        upstream = commands_of(items[_chain_start(items, at) : at])
        if any(is_check(c.words) for c in upstream):
            yield "error-ignored", item, Severity.BLOCK, command_text(upstream[0]) + " | true"


def _passed_over(kind: str, items: list[Item], at: int, found: Found) -> Iterator[Trick]:
    """`check; build` where only the end of the line counts."""
    if kind != "script" or (found.key not in _ONE_LINE and "scripts" not in found.key):
        return
    item = items[at]
    node = item.node
    last = at + 1 >= len(items)
    if last or item.after != ";" or not isinstance(node, Command) or not is_check(node.words):
        return
    if item.tested or re.search(r"\bset -\w*e", found.text):
        return
    yield "error-ignored", item, Severity.BLOCK, command_text(node)[:120] + " ;"


def _loop(kind: str, items: list[Item], at: int) -> Iterator[Trick]:
    """A check that is tried until it passes."""
    item = items[at]
    node = item.node
    if not isinstance(node, Command):
        return
    if (
        kind in ("for", "while", "until")
        and item.before == "&&"
        and node.name in ("break", "exit", "return")
    ):
        left = commands_of(items[_chain_start(items, at) : at])
        if any(is_check(c.words) for c in left):
            yield "error-ignored", item, Severity.BLOCK, "until it passes: " + command_text(left[0])
    if (
        kind in ("while", "until")
        and item.tested
        and isinstance(node, Command)
        and is_check(node.words)
    ):
        yield "error-ignored", item, Severity.BLOCK, "tried until it passes: " + command_text(node)


def _condition(item: Item) -> Iterator[Trick]:
    """`if A; then …; fi` where a failing A leads nowhere."""
    group = item.node
    if not isinstance(group, Group) or group.kind != "if":
        return
    tested = [each for each in group.items if each.tested]
    checks = [
        each for each in tested if isinstance(each.node, Command) and is_check(each.node.words)
    ]
    if not checks or any(each.before or each.after in ("&&", "||") for each in tested):
        return
    negated = checks[0].negated
    branches = {each.branch for each in group.items if not each.tested}
    failing = min(branches, default=1) if negated else 2
    reaction = commands_of(
        [each for each in group.items if each.branch == failing and not each.tested]
    )
    quiet = all(c.name in _QUIET or c.name in _NOTHING for c in reaction)
    if (not reaction and failing not in branches) or (reaction and quiet):
        node = checks[0].node
        assert isinstance(node, Command)  # noqa: S101
        yield "error-ignored", checks[0], Severity.BLOCK, "if " + command_text(node)


def _command_trick(command: Command, found: Found) -> str:
    """`set +e`, `trap '' ERR`, `eval "$(curl …)"` and their like."""
    words = command.words
    text = command_text(command)
    if command.name == "set" and any(re.fullmatch(r"\+[a-z]*e[a-z]*", w) for w in words[1:]):
        restored = re.search(r"\$\?", found.text) and re.search(r"set -\w*e", found.text)
        return f"?{text}" if restored else text
    if command.name == "set" and re.search(r"\+o (?:errexit|pipefail)", text):
        return text
    if command.name == "shopt" and "-u" in words and "inherit_errexit" in words:
        return text
    if command.name == "trap" and len(words) > 2:
        body = words[1].strip()
        if body in ("", "true", ":") and re.search(r"\b(?:ERR|EXIT|0)\b", " ".join(words[2:])):
            return text
        if re.search(r"\bexit 0\b", body):
            return text
    return ""

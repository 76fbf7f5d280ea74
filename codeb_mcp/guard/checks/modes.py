"""File modes that let everyone write, in every spelling of a shell and of the languages."""

import re
from collections.abc import Iterator
from itertools import pairwise

from codeb_mcp.guard.places import Language, Role
from codeb_mcp.guard.reading import Hit, Reading
from codeb_mcp.guard.rules import Severity
from codeb_mcp.guard.words import words

_CALL = re.compile(
    r"(?:\b(?:chmod|lchmod|fchmod|chmodSync|fchmodSync|Chmod|chmod_R|setMode|set_mode|from_mode"
    r"|FileMode"
    r"|mkdirSync|mkdir|makedirs|MkdirAll|Mkdir|WriteFile|OpenFile|mkfifo|set_permissions|mode_t"
    r"|umask|Umask|open))"
    r" ?\(([^()\n]{0,160}(?:\([^()\n]{0,60}\)[^()\n]{0,60})?)\)"
)
_NUMBER = re.compile(
    r"(?<![\w.])(0[oO]?[0-7]{3,4}|0[bB][01]{9,12}|0[xX][0-9a-fA-F]{3}|\d{3,4})(?![\w.])"
    r"|[\"'](0?[0-7]{3,4}|[ugoa+=rwx,]{3,20})[\"']"
)
_OTHER_WRITE = re.compile(
    r"\b(?:stat\.)?S_I(?:WOTH|RWXO)\b|\bModePerm\b|\bPermissionsExt::.{0,20}777|\bOTHERS_WRITE\b"
)
_RUBY_CALL = re.compile(
    r"\b(?:FileUtils\.)?(?:chmod|chmod_R)\(? ?(0[0-7]{3,4}|[\"'][ugoa+=rwx,]{3,20}[\"'])"
)
_SYMBOLIC = re.compile(r"([ugoa]*)([+=])([rwxXst]*)")
_OCTAL_ALWAYS = frozenset((Language.GO, Language.C, Language.PHP, Language.RUBY, Language.PERL))
_WORDS = words(
    "chmod lchmod fchmod chmodsync fchmodsync umask setmode set_mode from_mode filemode mkdirsync "
    "mkdir "
    "makedirs mkdirall writefile openfile set_permissions install setfacl chmod_r mkfifo"
)


def mode_hits(reading: Reading) -> Iterator[Hit]:
    """Every mode on this side with which everyone may write."""
    if reading.words.isdisjoint(_WORDS):
        return
    weight = Severity.REVIEW if reading.place.role is Role.FIXTURE else Severity.BLOCK
    for command, _ in reading.commands:
        if shown := _of_words(command.words):
            yield reading.hit("world-writable", weight, command.line, shown)
    if reading.place.language in (Language.SHELL, Language.PROSE, Language.YAML, Language.MAKE):
        return
    octal = reading.place.language in _OCTAL_ALWAYS
    for index, line in enumerate(reading.live):
        for called in _CALL.finditer(line):
            name = called.group().split("(")[0].strip().lower()
            if _open_to_all(name, called[1]):
                yield reading.hit("world-writable", weight, index, called.group()[:80])
        if octal and (call := _RUBY_CALL.search(line)) and _open_to_all("chmod", call[1]):
            yield reading.hit("world-writable", weight, index, call.group()[:80])


def _of_words(words: tuple[str, ...]) -> str:
    for at, word in enumerate(words):
        name = word.rsplit("/", 1)[-1]
        if name in ("chmod", "setfacl"):
            for mode in words[at + 1 : at + 6]:
                if name == "setfacl":
                    if (
                        re.search(r"(?:^|,)o(?:ther)?::?[r-]?w|^[du]?:?[ugo]?::rwx$", mode)
                        and "o" in mode
                    ):
                        return f"setfacl {mode}"
                elif mode.startswith("--") or re.fullmatch(r"-[RvcfhHLP]+", mode):
                    continue
                elif writable_by_all(mode):
                    return f"chmod {mode}"
                else:
                    break
        elif name == "umask" and len(words) > at + 1 and at == 0:
            if re.fullmatch(r"0*[0-7]{0,2}[0145]|u=rwx,g=rwx,o=rwx|a=rwx", words[at + 1]):
                return f"umask {words[at + 1]}"
        elif name in ("install", "mkdir", "mknod", "mkfifo") and at == 0:
            for flag, mode in pairwise(words):
                if flag in ("-m", "--mode") and writable_by_all(mode):
                    return f"{name} -m {mode}"
            for flag in words:
                if flag.startswith(("-m", "--mode=")) and writable_by_all(
                    flag.removeprefix("--mode=").removeprefix("-m")
                ):
                    return f"{name} {flag}"
    return ""


def writable_by_all(mode: str) -> bool:
    """Whether a mode in the shell's spelling lets others write (a sticky folder does not count)."""
    if re.fullmatch(r"0*[0-7]{1,5}", mode):
        value = int(mode, 8)
        return bool(value & 0o002) and not value & 0o1000
    for part in mode.split(","):
        match = _SYMBOLIC.fullmatch(part)
        if match and "w" in match[3] and ("o" in match[1] or "a" in match[1]):
            return "t" not in match[3]
    return False


def _open_to_all(name: str, arguments: str) -> bool:
    if _OTHER_WRITE.search(arguments):
        return "modeperm" not in arguments.lower() or name == "chmod"
    for match in _NUMBER.finditer(arguments):
        text = match[1] or match[2]
        if match[2]:
            if name in ("open", "openfile", "writefile") and not re.fullmatch(r"0?777", text):
                continue
            if writable_by_all(text):
                return True
            continue
        value = _value(text)
        if name in ("umask",):
            return value == 0
        if value is not None and 0o100 <= value <= 0o7777 and value & 0o002 and not value & 0o1000:
            if name in (
                "open",
                "mkdir",
                "makedirs",
                "mkdirall",
                "mkdirsync",
                "openfile",
                "writefile",
            ):
                # these lose what the umask takes; only all rights at once are meant
                return value & 0o777 in (0o777, 0o666) and text[0] == "0"
            return True
    return bool(name == "umask" and arguments.strip() in ("0", "00", "000", "0o0", "0o000", "0000"))


def _value(text: str) -> int | None:
    try:
        if text.lower().startswith(("0o", "0b", "0x")):
            return int(text, 0)
        if text.startswith("0") and set(text) <= set("01234567"):
            return int(text, 8)
        return int(text)
    except ValueError:
        return None

"""Reads unit files by systemd's own rules (systemd.syntax(7)), to see what a line really says."""

from dataclasses import dataclass

_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    '"': '"',
    "'": "'",
    "s": " ",
}
_BLANK = " \t"


@dataclass(frozen=True, slots=True)
class Directive:
    """One assignment: its section, key and value as it stands."""

    section: str
    key: str
    value: str


def directives(text: str) -> list[Directive]:
    """Every assignment of a unit. Raises ValueError for a line that systemd would complain of.

    Lines end at a newline, a carriage return or a NUL; a backslash at the end joins a line to the
    next, with a blank between; comment lines are left out, also amid joined ones.
    """
    found: list[Directive] = []
    section, joined = "", ""
    for line in text.replace("\r", "\n").replace("\0", "\n").split("\n"):
        stripped = line.lstrip(_BLANK)
        if stripped.startswith(("#", ";")):
            continue
        if line.endswith("\\"):
            joined += line[:-1] + " "
            continue
        whole, joined = (joined + line).strip(_BLANK), ""
        if not whole:
            continue
        if whole.startswith("["):
            if not whole.endswith("]"):
                raise ValueError(f"bad section {whole!r}")
            section = whole[1:-1]
            continue
        key, equals, value = whole.partition("=")
        if not equals:
            raise ValueError(f"no assignment: {whole!r}")
        found.append(Directive(section, key.rstrip(_BLANK), value.lstrip(_BLANK)))
    return found


def words(value: str) -> list[str]:
    """The value as words: quotes taken off, escapes read, `%%` a percent sign and `$$` a dollar.

    Raises ValueError for a quote left open, an unknown escape, a specifier or a variable.
    """
    found: list[str] = []
    rest = value
    while rest := rest.lstrip(_BLANK):
        word, rest = _word(rest)
        found.append(_expanded(word))
    return found


def _word(text: str) -> tuple[str, str]:
    word, quote, at = "", "", 0
    while at < len(text):
        char = text[at]
        if char == "\\":
            if at + 1 == len(text) or text[at + 1] not in _ESCAPES:
                raise ValueError(f"bad escape in {text!r}")
            word += _ESCAPES[text[at + 1]]
            at += 2
            continue
        if quote:
            if char == quote:
                quote = ""
            else:
                word += char
        elif char in "\"'":
            quote = char
        elif char in _BLANK:
            return word, text[at:]
        else:
            word += char
        at += 1
    if quote:
        raise ValueError(f"open quote in {text!r}")
    return word, ""


def _expanded(word: str) -> str:
    for sign in "%$":
        if word.replace(sign * 2, "").count(sign):
            raise ValueError(f"{sign} is read by systemd in {word!r}")
        word = word.replace(sign * 2, sign)
    return word

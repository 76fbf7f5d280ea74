"""Disguises taken off a line: look-alikes, invisible characters, escapes, concatenations."""

import re
import unicodedata

# Characters that look like those of ASCII, of the scripts that are used to fool a reader.
_IMITATED = {
    "-": "\u2011\u2010\u2012\u2013\u2014\u2212\ufe63",
    "A": "\u0410\u0391",
    "B": "\u0412\u0392",
    "C": "\u0421",
    "E": "\u0415\u0395",
    "H": "\u041d\u0397",
    "I": "\u0406\u0399",
    "J": "\u0408",
    "K": "\u041a\u039a",
    "M": "\u041c\u039c",
    "N": "\u039d",
    "O": "\u041e\u039f",
    "P": "\u0420\u03a1",
    "S": "\u0405",
    "T": "\u0422\u03a4",
    "X": "\u0425\u03a7",
    "Y": "\u03a5",
    "Z": "\u0396",
    "a": "\u0430\u03b1",
    "c": "\u0441",
    "d": "\u0501",
    "e": "\u0435",
    "h": "\u04bb",
    "i": "\u0456\u03b9\u2170",
    "j": "\u0458",
    "k": "\u03ba",
    "l": "\u04cf\u217c",
    "o": "\u043e\u03bf",
    "p": "\u0440\u03c1",
    "s": "\u0455",
    "t": "\u03c4",
    "u": "\u03c5",
    "v": "\u03bd",
    "x": "\u0445",
    "y": "\u0443",
    "|": "\u2223\u01c0\uff5c\u2016",
}
_LOOK_ALIKES = str.maketrans(
    {imitation: plain for plain, them in _IMITATED.items() for imitation in them}
)
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0]"
)
BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_CONCATENATION = re.compile(r"""(["'`])[ \t]{0,8}(?:\+|\.|<>)[ \t]{0,8}\1""")
_ADJACENT = re.compile(r"(?<=\w)([\"'])[ \t]{1,4}\1(?=\w)")
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}|([0-3][0-7]{2}))"
)


def folded(text: str) -> str:
    """`text` with look-alikes as the letters they imitate, and without invisible characters.

    Same number of lines; the columns may move.
    """
    if text.isascii():
        return text
    plain = _INVISIBLE.sub("", text).translate(_LOOK_ALIKES)
    return unicodedata.normalize("NFKC", plain) if not plain.isascii() else plain


def joined(text: str, *, adjacent: bool = False) -> str:
    """`text` with its escapes decoded and its concatenated strings as one.

    With `adjacent`, strings that only stand beside each other too, as Python joins them.
    """
    if "\\" in text:
        text = _ESCAPE.sub(_decoded, text)
    text = _CONCATENATION.sub("", text)
    return _ADJACENT.sub("", text) if adjacent else text


def _decoded(match: re.Match[str]) -> str:
    hexadecimal = match[1] or match[2] or match[3]
    code = int(hexadecimal, 16) if hexadecimal else int(match[4], 8)
    return chr(code) if 32 <= code < 127 and chr(code) not in "\"'`\\" else match[0]

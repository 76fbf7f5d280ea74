"""Text from applications, made safe to show: it must not steer the reader's terminal."""

import re

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movement
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC and other strings: titles, links
    r"|\x1b[ -/]*[0-~]"  # the short ones
)
# all of Unicode's control characters but the tab, and what reorders or hides text
_CONTROLS = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)


def without_control_characters(line: str) -> str:
    """`line` without terminal escapes and control characters; tabs stay."""
    return _CONTROLS.sub("", _ESCAPES.sub("", line))

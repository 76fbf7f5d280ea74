"""`--wait [SECONDS]`: an option whose value may be left out."""

from collections.abc import Sequence
from typing import Annotated

import typer

LONG_ENOUGH = "600"

Wait = Annotated[
    float,
    typer.Option(
        metavar="[SECONDS]",
        min=0,
        max=3600,
        help="Wait while somebody else changes the environment (600 s unless said).",
    ),
]


def with_seconds(argv: Sequence[str]) -> list[str]:
    """`argv` with the usual seconds after a `--wait` that has none."""
    filled: list[str] = []
    for word, following in zip(argv, [*argv[1:], ""], strict=True):
        filled.append(word)
        if word == "--wait" and not following.replace(".", "", 1).isdecimal():
            filled.append(LONG_ENOUGH)
    return filled

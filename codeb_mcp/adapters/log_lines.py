"""Log files in k8s-file format, as Podman's conmon writes them, turned into lines to read.

Each line of a file is `TIME STREAM F|P TEXT`; `P` marks a part of a line that the next continues.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from codeb_mcp.adapters.terminal_text import without_control_characters
from codeb_mcp.domain.masking import CUT

LONGEST = 2000


class LineJoiner:
    """Turns raw lines into readable ones, each stream's parts joined; keeps what is unfinished."""

    def __init__(self) -> None:
        self._parts: dict[str, str] = {}

    def feed(self, raw: Iterable[bytes]) -> Iterator[str]:
        """The lines that `raw` completes. What is not in the format is left out."""
        for line in raw:
            fields = line.decode(errors="replace").rstrip("\r\n").split(" ", 3)
            if len(fields) < 3 or fields[2] not in ("F", "P"):
                continue
            time, stream, mark = fields[:3]
            text = self._parts.pop(stream, "") + (fields[3] if len(fields) == 4 else "")
            if mark == "P":
                # an application that never ends its line must not fill this process's memory
                self._parts[stream] = text[: 2 * LONGEST]
            else:
                yield f"{_short_time(time)} {_shortened(text)}"


def _shortened(text: str) -> str:
    clean = without_control_characters(text)
    return clean if len(clean) <= LONGEST else clean[:LONGEST] + CUT


def _short_time(text: str) -> str:
    try:
        # Python reads no more than six digits of a second
        moment = datetime.fromisoformat(text[:26] + text[29:])
    except ValueError:
        return without_control_characters(text[:40])
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

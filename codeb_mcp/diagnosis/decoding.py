"""Logs in UTF-16, as PowerShell writes them, made UTF-8. Everything else stays as it is."""

import codecs
from collections.abc import Iterable, Iterator
from itertools import chain

_MARKS = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def utf8_blocks(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same log as UTF-8. An encoding is recognised by its mark, or by every other byte 0."""
    stream = iter(blocks)
    head = b""
    for block in stream:
        head += block
        if len(head) >= 4:
            break
    encoding = _encoding(head[:4096])
    if encoding is None:
        yield from chain((head.removeprefix(codecs.BOM_UTF8),), stream)
        return
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for block in chain((head,), stream):
        yield decoder.decode(block).encode("utf-8", "replace")
    yield decoder.decode(b"", final=True).encode("utf-8", "replace")


def _encoding(head: bytes) -> str | None:
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if len(head) < 8:
        return None
    if head[1::2].count(0) > len(head) * 0.35:
        return "utf-16-le"
    return "utf-16-be" if head[::2].count(0) > len(head) * 0.35 else None

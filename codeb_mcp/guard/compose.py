"""A diff made from two texts: for an edit that is not written yet."""


def diff_of(path: str, old: str | None, new: str | None) -> str:
    """The unified diff, of one hunk, that turns `old` into `new`; None is a file that is not there.

    Linear: what both texts begin and end with is left out, but for three lines.
    """
    if old == new:
        return ""
    before, after = _lines(old), _lines(new)
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    top = max(0, start - 3)
    tail = before[len(before) - end : len(before) - end + 3] if end else []
    removed = before[start : len(before) - end]
    added = after[start : len(after) - end]
    head = before[top:start]
    size = len(head) + len(tail)
    old_from = top + 1 if size + len(removed) else 0
    new_from = top + 1 if size + len(added) else 0
    return "\n".join(
        [
            f"diff --git a/{path} b/{path}",
            *(["new file mode 100644"] if old is None else []),
            *(["deleted file mode 100644"] if new is None else []),
            f"--- {'/dev/null' if old is None else f'a/{path}'}",
            f"+++ {'/dev/null' if new is None else f'b/{path}'}",
            f"@@ -{old_from},{size + len(removed)} +{new_from},{size + len(added)} @@",
            *(f" {line}" for line in head),
            *(f"-{line}" for line in removed),
            *(f"+{line}" for line in added),
            *(f" {line}" for line in tail),
            "",
        ]
    )


def _lines(text: str | None) -> list[str]:
    if not text:
        return []
    return text.removesuffix("\n").split("\n")

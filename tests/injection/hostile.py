"""Text as an attacker would choose it, and how much of it is tried."""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# `make test` and CI set it; a developer's `make test-fast` is to take less than a minute
EXAMPLES = int(os.environ.get("CODEB_EXAMPLES", "200"))

many = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
)

# what means something to a shell, to systemd, to Podman, to JSON, to Caddy or to a resolver
_MEANINGFUL = (
    *("\n", "\r", "\0", "\t", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\ud800", " ", "\u00a0"),
    *(
        "\\",
        '"',
        "'",
        "`",
        "$",
        "$$",
        "${HOME}",
        "$(id)",
        "%",
        "%%",
        "%n",
        "%h",
        "#",
        ";",
        "=",
        "[",
    ),
    *("]", "{", "}", "{env.PATH}", "*", "..", "/", "-", "--", ",", ":", "@", "&", "|", "<", ">"),
    *("\nExecStartPre=/bin/sh", "[Service]\n", "\nPORT=1", "--privileged", "-v/:/host", "\\\n"),
    *('", "admin": {"listen": ":2019"}, "x": "', "\\n", "\\x0a", "\\u000a", "é", "\U0001f40d"),
)

fragment = st.one_of(st.sampled_from(_MEANINGFUL), st.text(max_size=8))
hostile = st.lists(fragment, max_size=6).map("".join)
# most of what is refused at once is refused for a control character: this gets further
line = st.lists(fragment.filter(lambda text: text.isprintable()), max_size=6).map("".join)
mostly_line = st.one_of(line, line, line, line, line, hostile)
almost_name = st.lists(
    st.one_of(st.from_regex(r"[a-z0-9.-]{1,12}", fullmatch=True), fragment), min_size=1, max_size=4
).map("".join)

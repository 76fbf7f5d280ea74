"""How fast logs are read of which every line looks like a failure.

    .venv/bin/python -m benchmarks.diagnosis_dense [--megabytes 10]

Six kinds: a compiler that fails without end, its warnings, a mixture, an application's log, the
same in JSON, and prose that only holds the words.
"""

import argparse
import time
from collections.abc import Callable, Iterator

from codeb_mcp.diagnosis import diagnose

BLOCK = 1024 * 1024
MIXTURE = (
    "src/cart.ts({0},10): error TS18048: 'it.qty{0}' is possibly 'undefined'.",
    "    at Object.<anonymous> (/home/runner/work/a/a/src/x.js:{0}:5)",
    "Error: connect failed {0}",
    "npm ERR! code E{0}",
)
KINDS: dict[str, Callable[[int], str]] = {
    "compiler": lambda n: f"src/a{n % 977}.ts({n % 500},10): error TS18048: 'q{n}' is undefined.",
    "warnings": lambda n: f"src/a{n % 97}.c:{n % 500}:10: warning: unused variable 'x{n}'",
    "mixture": lambda n: MIXTURE[n % 4].format(n),
    "application": lambda n: f"ERROR [worker-{n % 8}] Job - failed {n}: unexpected IOException",
    "json": lambda n: f'{{"level":"error","time":{n},"message":"failed","path":"/x/{n}"}}',
    "words": lambda n: f"test {n} ... error handling works when value is undefined and missing",
}


def text(kind: str, size: int) -> bytes:
    """A log of one kind, of `size` bytes or a little more."""
    lines: list[bytes] = []
    written = 0
    while written < size:
        line = f"2026-11-24T01:02:03.1234567Z {KINDS[kind](len(lines))}\n".encode()
        lines.append(line)
        written += len(line)
    return b"".join(lines)


def blocks(log: bytes) -> Iterator[bytes]:
    """The log in blocks."""
    for at in range(0, len(log), BLOCK):
        yield log[at : at + BLOCK]


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--megabytes", type=int, default=10)
    size = arguments.parse_args().megabytes * 1_000_000
    for kind in KINDS:
        log = text(kind, size)
        begin = time.process_time()
        found = diagnose(blocks(log))
        seconds = time.process_time() - begin
        print(f"{kind:12} {len(log) / seconds / 1e6:4.0f} MB/s, {len(found.incidents)} incidents")


if __name__ == "__main__":
    main()

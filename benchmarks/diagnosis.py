"""How fast a failure log is read, and in how much memory.

    .venv/bin/python -m benchmarks.diagnosis [--megabytes 1000]

The log is noise as package managers and test runners write it, with a failure now and then. The
control reads the same blocks and counts their lines.
"""

import argparse
import resource
import time
from collections.abc import Iterator

from codeb_mcp.diagnosis import diagnose

BLOCK = 1024 * 1024
NOISE = (
    "npm http fetch GET 200 https://registry.example/minimist-{0} 694ms (cache hit)",
    "npm verbose reify failed optional dependency /app/node_modules/inflight-{0}",
    "npm silly placeDep ROOT ajv-{0}@8.5.0 OK for: shop@1.2.0 want: ^9.0.0",
    "Get:{0} http://deb.example/debian trixie/main amd64 libc6 amd64 2.41-{0} [2,847 kB]",
    "      ✓ returns the total of {0} articles (3ms)",
    "      ✓ throws an error when article {0} is unknown",
    "#12 {0}.532 Downloading layer sha256:0a1b2c3d4e5f, 12.3 MB of 45.6 MB",
    "[INFO] Tests run: {0}, Failures: 0, Errors: 0, Skipped: 0",
)
FAILURE = "src/cart.ts(5,10): error TS18048: 'it.qty' is possibly 'undefined'."


def noise(failures: bool) -> bytes:
    """10 MB of a log."""
    lines = []
    size = 0
    number = 0
    while size < 10_000_000:
        text = NOISE[number % len(NOISE)].format(number)
        if failures and number % 5_000 == 4_999:
            text = FAILURE
        line = f"2026-11-24T01:02:03.1234567Z {text}\n"
        lines.append(line)
        size += len(line.encode())
        number += 1
    return "".join(lines).encode()


def blocks(text: bytes, times: int) -> Iterator[bytes]:
    """`text` again and again, in blocks."""
    for _ in range(times):
        for at in range(0, len(text), BLOCK):
            yield text[at : at + BLOCK]


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--megabytes", type=int, default=200)
    times = max(1, arguments.parse_args().megabytes // 10)
    for name, failures in (("one failure in 5,000 lines", True), ("no failure", False)):
        text = noise(failures)
        megabytes = len(text) * times / 1e6
        begin = time.process_time()
        lines = sum(block.count(b"\n") for block in blocks(text, times))
        control = time.process_time() - begin
        begin = time.process_time()
        found = diagnose(blocks(text, times))
        seconds = time.process_time() - begin
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{name}: {megabytes:.0f} MB, {lines} lines, {len(found.incidents)} incidents:"
            f" {megabytes / seconds:.0f} MB/s (counting lines {megabytes / control:.0f}),"
            f" peak memory {peak:.0f} MB"
        )


if __name__ == "__main__":
    main()

"""The guard: what it finds and whom it accuses, and how long it takes, beside plain text searches.

    .venv/bin/python -m benchmarks.guard

Found and accused are shares of the cases in `tests/cases`: written by hand (`guard.jsonl`), and
changes that real tools called green (`guard_real.jsonl`). The baselines of the same run are the
search for the five patterns that the guard began with, and for thirty.

For time, the diffs are made of this repository's own files: a fix is one hunk in one of them, the
large one adds all of them again and again.
"""

import json
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from codeb_mcp.adapters.rule_files import bypass_rules
from codeb_mcp.guard.compose import diff_of
from codeb_mcp.guard.rules import load_rules
from codeb_mcp.guard.verdict import judge

ROOT = Path(__file__).parents[1]
LARGE = 10_000_000
ROUNDS = 200
CASES = ROOT / "tests" / "cases"
FIVE = [
    re.compile(each)
    for each in (
        r"\|\|\s*true",
        r"//\s*@ts-ignore",
        r"//\s*eslint-disable",
        r"chmod\s+777",
        r"--privileged",
    )
]
PATTERNS = [
    re.compile(each)
    for each in (
        r"\|\|\s*(true|:|exit 0)",
        r"@ts-(ignore|expect-error|nocheck)",
        r"eslint-disable",
        r"chmod\s+0?777",
        r"--privileged",
        r"as any",
        r"\.(skip|only)\(",
        r"xfail|skipif",
        r"type:\s*ignore",
        r"noqa|nosec",
        r"continue-on-error",
        r"set\s+\+e",
        r"--no-verify",
        r"except[^:]*:\s*pass",
        r"catch\s*\(\w*\)\s*\{\s*\}",
        r"pragma:\s*no\s*cover",
        r"passWithNoTests",
        r"\"strict\"\s*:\s*false",
        r"[\"']off[\"']",
        r"ignore_errors",
        r"audit-level",
        r"legacy-peer-deps",
        r"verify\s*=\s*False",
        r"if:\s*false",
        r"expect\(true\)",
        r"nolint|t\.Skip",
        r"--exit-zero",
        r"docker\.sock",
        r"testTimeout",
        r"retries",
    )
]


def sources() -> list[tuple[str, str]]:
    """Paths and texts of this repository's Python, Markdown and YAML files."""
    found = [p for s in ("py", "md", "yml") for p in sorted(ROOT.rglob(f"*.{s}"))]
    kept = [p for p in found if not {".venv", "build", "dist"} & set(p.parts)]
    return [(str(p.relative_to(ROOT)), p.read_text(encoding="utf-8")) for p in kept]


def large(texts: list[tuple[str, str]]) -> str:
    """A diff of about ten million characters."""
    parts: list[str] = []
    size = number = 0
    while size < LARGE:
        path, text = texts[number % len(texts)]
        parts.append(diff_of(f"copy{number}/{path}", None, text))
        size += len(parts[-1])
        number += 1
    return "".join(parts)


def searched(diff: str, patterns: list[re.Pattern[str]]) -> bool:
    """Patterns over the added lines: the control."""
    added = [line for line in diff.split("\n") if line.startswith("+")]
    return sum(1 for line in added if any(pattern.search(line) for pattern in patterns)) > 0


def cases() -> list[tuple[str, str, str]]:
    """Every case as (where from, kind, diff)."""
    found: list[tuple[str, str, str]] = []
    for line in (CASES / "guard.jsonl").read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        diff = diff_of(case["path"], case["old"], case["new"])
        found.append(("by hand", case["kind"], diff))
    for line in (CASES / "guard_real.jsonl").read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        diff = "".join(diff_of(p, *case["files"][p]) for p in sorted(case["files"]))
        found.append(("from tools", case["kind"], diff))
    return found


def print_shares() -> None:
    """What is found and who is accused, by the guard and by the searches."""
    rules = load_rules(bypass_rules())
    judges: dict[str, Callable[[str], bool]] = {
        "guard": lambda diff: judge(diff, rules).decision == "block",
        "5 patterns": lambda diff: searched(diff, FIVE),
        "30 patterns": lambda diff: searched(diff, PATTERNS),
    }
    every = cases()
    for source in ("by hand", "from tools"):
        for name, blocks in judges.items():
            counts = []
            for kind in ("bypass", "honest"):
                diffs = [diff for where, each, diff in every if (where, each) == (source, kind)]
                counts.append(f"{kind} {sum(map(blocks, diffs))} of {len(diffs)}")
            print(f"{source}, {name}: blocked {', '.join(counts)}")


def main() -> None:
    """Measure and print."""
    print_shares()
    rules = load_rules(bypass_rules())
    texts = [(path, text) for path, text in sources() if len(text) > 2_000]
    fixes = [
        diff_of(path, text, text.replace("\n\n", f"\n\nvalue_{n} = compute({n})\n", 1))
        for n, (path, text) in enumerate(texts)
    ]
    took: list[float] = []
    for number in range(ROUNDS):
        began = time.perf_counter()
        judge(fixes[number % len(fixes)], rules)
        took.append((time.perf_counter() - began) * 1000)
    worst = sorted(took)[int(ROUNDS * 0.99)]
    print(f"a fix: median {statistics.median(took):.2f} ms, 99 % under {worst:.2f} ms")
    diff = large(texts)
    began = time.perf_counter()
    judge(diff, rules)
    print(f"{len(diff) / 1e6:.1f} MB: {time.perf_counter() - began:.2f} s")
    began = time.perf_counter()
    searched(diff, PATTERNS)
    print(f"control, 30 patterns over the same lines: {time.perf_counter() - began:.2f} s")


if __name__ == "__main__":
    main()

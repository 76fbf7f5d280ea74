"""The same failure in two runs has one fingerprint, and two failures have two."""

import re
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from codeb_mcp.diagnosis import diagnose
from codeb_mcp.diagnosis.fingerprint import fingerprint, normal
from tests.diagnosis.test_cases import EXPECTED, log

ROOT = "/home/runner/work/shop/shop"
ROOTS = st.sampled_from(
    [
        ROOT,
        "/builds/acme/shop",
        "/__w/shop/shop",
        "/home/circleci/project",
        "/home/kim/projects/shop",
        "/var/lib/jenkins/workspace/shop",
        "/tmp/x8f2k",
    ]
)
STAMPS = st.integers(1_600_000_000, 2_100_000_000).map(
    lambda at: f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S.123456Z} "
)
# `rs/` is no folder that a project is known by, below a root that nobody knows
MOVED = sorted(EXPECTED.keys() - {"rustfmt"})
# what a run writes anew each time
SECONDS = st.integers(1, 9_999).map(lambda number: f"{number / 1000:.3f}s")


def prints(text: str) -> list[str]:
    return [each.fingerprint for each in diagnose([text.encode()]).incidents][:4]


@settings(max_examples=120, deadline=3_000)
@given(st.sampled_from(MOVED), ROOTS, STAMPS)
def test_another_runner_at_another_time_gives_the_same(name: str, root: str, stamp: str) -> None:
    text = log(name)
    again = "".join(f"{stamp}{line}\n" for line in text.replace(ROOT, root).splitlines())
    assert prints(again) == prints(text)


@given(
    st.sampled_from(["/tmp/tmpk3j4h5g6/app.sock", "/var/folders/x/T/tmp.Q8wPz/app.sock"]),
    st.integers(1024, 65535),
    SECONDS,
    st.uuids(),
    st.binary(min_size=20, max_size=20).map(bytes.hex).filter(lambda text: re.search(r"\d", text)),
)
def test_what_varies_within_a_message_does_not_count(
    path: str, port: int, seconds: str, request: object, commit: str
) -> None:
    said = f"cannot bind {path} on port {port} after {seconds} (request {request}, at {commit})"
    assert normal(said) == "cannot bind /app.sock on port # after # (request #, at #)"


NAMES = st.from_regex(r"[a-z]{3,8}[0-9]{0,2}", fullmatch=True)


@given(NAMES, NAMES)
def test_another_name_is_another_failure(one: str, other: str) -> None:
    def of(name: str) -> str:
        return fingerprint("type_error", "tsc", "src/a.ts", "TS2304", f"Cannot find name '{name}'.")

    assert (of(one) == of(other)) is (one == other)


def test_failures_of_different_files_codes_or_words_differ() -> None:
    seen: dict[str, tuple[str | None, ...]] = {}
    for name in EXPECTED:
        for each in diagnose([log(name).encode()]).incidents:
            what = (each.type, each.tool, each.file, each.code, normal(each.message))
            assert seen.setdefault(each.fingerprint, what) == what
    assert len(seen) == len(set(seen.values()))


def test_same_words_in_two_packages_of_a_monorepo_are_two_failures() -> None:
    one, other = (
        fingerprint(
            "lint_error", "eslint", f"/checkout/packages/{name}/src/index.ts", "no-var", "x"
        )
        for name in ("web", "ui")
    )
    assert one != other

"""Logs that real tools wrote of real broken projects, read rightly in whatever dress they come."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from codeb_mcp.diagnosis import diagnose
from codeb_mcp.domain.incident import Diagnosis

CASES = Path(__file__).parents[1] / "cases"
EXPECTED: dict[str, list[list[str | int | None]]] = json.loads((CASES / "logs.json").read_text())
NOISE = "npm verbose reify failed optional dependency node_modules/inflight-{}\n"


def log(name: str) -> str:
    return (CASES / "logs" / f"{name}.log").read_text()


def roots(diagnosis: Diagnosis) -> list[list[str | int | None]]:
    return [
        [each.type.value, each.tool, each.file, each.line, each.code]
        for each in diagnosis.incidents
        if not each.caused_by
    ]


@pytest.mark.parametrize("name", EXPECTED)
def test_log_of_a_real_tool_gives_its_incidents(name: str) -> None:
    assert roots(diagnose([log(name).encode()]))[:8] == EXPECTED[name]


def github(text: str) -> bytes:
    """As GitHub keeps it: stamps, groups, and thousands of lines of an installation before."""
    lines = [
        "##[group]Run npm ci",
        *(NOISE.format(number).strip() for number in range(300)),
        "##[group]Run make check",
        "\x1b[36;1mmake check\x1b[0m",
        "shell: /usr/bin/bash -e {0}",
        "##[endgroup]",
        *text.splitlines(),
        "##[error]Process completed with exit code 1.",
    ]
    return "".join(f"2026-11-24T01:02:03.1234567Z {line}\n" for line in lines).encode()


def github_view(text: str) -> bytes:
    return b"".join(b"build\tRun make check\t" + line + b"\n" for line in github(text).splitlines())


def windows(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode("utf-16")


def broken(text: str) -> bytes:
    return b"\xff\xfe\x00\x80 binary \xc3\n".replace(b"\xff\xfe", b"\xfe") + text.encode()


def compose(text: str) -> bytes:
    return "".join(f"app-1  | {line}\n" for line in text.splitlines()).encode()


def interleaved(text: str) -> bytes:
    """Two packages of a monorepo write at once."""
    return "".join(
        f"@shop/web:check: {line}\n@shop/ui:build: ✓ {number} modules transformed.\n"
        for number, line in enumerate(text.splitlines())
    ).encode()


@pytest.mark.parametrize("dress", [github, github_view, windows, broken, compose, interleaved])
@pytest.mark.parametrize("name", EXPECTED)
def test_log_is_read_alike_in_every_dress(name: str, dress: Callable[[str], bytes]) -> None:
    read = diagnose([dress(log(name))])
    places = [(row[0], row[2], row[3]) for row in EXPECTED[name]]
    assert [(row[0], row[2], row[3]) for row in roots(read)][: len(places)] == places


@pytest.mark.parametrize("name", EXPECTED)
def test_same_failure_has_the_same_fingerprint_in_another_run(name: str) -> None:
    plain = diagnose([log(name).encode()])
    again = diagnose(
        [github(log(name).replace("/home/runner/work/shop/shop", "/builds/acme/shop"))]
    )
    assert [each.fingerprint for each in again.incidents][:4] == [
        each.fingerprint for each in plain.incidents
    ][:4]


def test_failing_step_and_its_command_are_named() -> None:
    read = diagnose([github(log("tsc"))])
    assert (read.failed_step, read.failed_command, read.exit_code) == (
        "Run make check",
        "make check",
        1,
    )

"""What `codeb-mcp serve` refuses to start with, and how it says so."""

import gc
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from codeb_mcp.__main__ import main
from tests.surface.processes import TRANSPORTS, Transport, free_port

Refusal = Callable[..., tuple[int, str]]


@pytest.fixture
def refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Refusal]:
    """Runs `codeb-mcp serve` where it must refuse to; gives the exit code and what is told."""
    monkeypatch.setenv("CODEB_HOME", str(tmp_path))

    def run(*options: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(["serve", *options])
        assert isinstance(ended.value.code, int)
        return ended.value.code, capsys.readouterr().err

    yield run
    gc.enable()  # `main` leaves it off for the imports, and has ended before it begins to serve


@pytest.mark.parametrize(
    ("text", "mode", "told"),
    [
        ("s" * 40, 0o644, "can be read by others"),
        ("s" * 40, 0o640, "can be read by others"),
        ("short", 0o600, "not one word"),
        ("", 0o600, "not one word"),
        ("two words of a long token", 0o600, "not one word"),
        ("ü" * 40, 0o600, "not one word"),
    ],
)
def test_unsafe_token_file_is_refused(
    tmp_path: Path, refusal: Refusal, text: str, mode: int, told: str
) -> None:
    path = tmp_path / "token"
    path.write_text(text)
    path.chmod(mode)
    code, error = refusal("--port", str(free_port()))
    assert code == 2
    assert told in error
    assert "next: " in error
    assert not text or text not in error


def test_folder_in_place_of_the_token_file_is_told_in_one_line(
    tmp_path: Path, refusal: Refusal
) -> None:
    (tmp_path / "token").mkdir(mode=0o700)
    code, error = refusal("--port", str(free_port()))
    assert (code, error.count("\n")) == (4, 1)


@pytest.mark.parametrize(
    "name", ["", "*", "*:8765", "a b", "http://a", "a:80", "a\nb", "a/b", "-a", "ü.example", "a..b"]
)
def test_hostile_allowed_host_is_refused(tmp_path: Path, refusal: Refusal, name: str) -> None:
    code, error = refusal(f"--allowed-host={name}")
    assert (code, error.count("\n")) == (2, 1)
    assert "is not valid" in error
    assert not (tmp_path / "token").exists()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_port_in_use_is_told_in_one_line(refusal: Refusal, transport: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, error = refusal("--transport", transport, "--port", port)
    assert (code, error.count("\n")) == (4, 1)
    assert "another program listens there" in error
    assert port in error


@pytest.mark.parametrize(
    ("host", "expected"),
    [("no-such-host.invalid", 2), ("a\nb", 2), ("", 2), ("x" * 300, 2), ("192.0.2.1", 4)],
)
def test_impossible_address_is_told_in_one_line(refusal: Refusal, host: str, expected: int) -> None:
    code, error = refusal("--host", host, "--port", str(free_port()))
    assert (code, error.count("\n")) == (expected, 1)


@pytest.mark.parametrize("port", ["0", "-1", "65536", "http", "99999999999999999999"])
def test_port_that_is_none_is_refused(refusal: Refusal, port: str) -> None:
    code, error = refusal(f"--port={port}")
    assert code == 2
    assert "Traceback" not in error

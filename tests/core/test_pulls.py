"""How often a pull is tried, how much room it needs, and how its progress reads."""

import pytest

from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.registries import Login, Manifest, RegistryName, registry_of
from codeb_mcp.errors import CodebError, InvalidRequest, SystemFailed
from codeb_mcp.planning.pulls import LayerProgress, pause_before_retry, room_needed

IMAGE = Manifest("sha256:0", (1_000_000, 2_000_000))


def failed(code: str, message: str = "it failed") -> CodebError:
    return SystemFailed(message, code=code)


@pytest.mark.parametrize(
    ("error", "failures", "retry_after", "left", "pause"),
    [
        (failed("registry_unreachable"), 1, None, 900, 1),
        (failed("registry_failed"), 2, None, 900, 3),
        (failed("registry_rate_limited"), 1, 20.0, 900, 20),
        (failed("registry_rate_limited"), 2, 1.0, 900, 3),
        (failed("registry_rate_limited"), 1, 3600.0, 900, None),
        (failed("registry_failed"), 4, None, 900, None),
        (failed("registry_failed"), 1, None, 0.5, None),
        (failed("image_digest_mismatch"), 1, None, 900, None),
        (failed("registry_unreachable", "server gave HTTP response to HTTPS"), 1, None, 900, None),
        (InvalidRequest("denied", code="image_access_denied"), 1, None, 900, None),
        (InvalidRequest("missing", code="image_not_found"), 1, None, 900, None),
    ],
)
def test_only_what_may_pass_by_itself_is_tried_again_and_in_bounds(
    error: CodebError, failures: int, retry_after: float | None, left: float, pause: float | None
) -> None:
    assert pause_before_retry(error, failures, retry_after, left) == pause


def test_room_is_needed_for_the_layers_packed_and_unpacked() -> None:
    assert room_needed(IMAGE, 5) == 12_000_005
    assert room_needed(None, 5) == 5


def test_progress_is_in_bytes_where_podman_tells_them() -> None:
    progress = LayerProgress(IMAGE)
    assert str(progress) == ""
    progress.note({"id": "a", "progressDetail": {"current": 500_000, "total": 1_000_000}})
    assert str(progress) == "0.5 MB of 3.0 MB"


def test_progress_is_in_layers_where_podman_tells_no_bytes() -> None:
    progress = LayerProgress(IMAGE)
    progress.note({"stream": "Copying blob sha256:aa\n"})
    progress.note({"stream": "Copying blob sha256:aa\n"})
    assert str(progress) == "layer 1 of 2, 3.0 MB in all"


@pytest.mark.parametrize("text", ["", "https://ghcr.io", "ghcr.io/org", "-x", "a b", "a\n", "A.io"])
def test_what_is_no_registry_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        RegistryName(text)


@pytest.mark.parametrize(
    ("reference", "registry"),
    [
        ("ghcr.io/org/app:v1", "ghcr.io"),
        ("127.0.0.1:5000/app", "127.0.0.1:5000"),
        ("localhost/app", "localhost"),
        ("library/app", ""),
        ("app:v1", ""),
    ],
)
def test_registry_is_what_the_reference_begins_with(reference: str, registry: str) -> None:
    assert registry_of(reference) == registry


@pytest.mark.parametrize(("user", "password"), [("", "x"), ("a:b", "x"), ("a b", "x"), ("a", "")])
def test_login_that_no_header_can_hold_is_refused(user: str, password: str) -> None:
    with pytest.raises(InvalidRequest):
        Login(user, Secret(password))


def test_login_does_not_show_its_password() -> None:
    assert "hunter2" not in repr(Login("me", Secret("hunter2")))


def test_registry_is_awaited_at_first_and_while_a_layer_comes() -> None:
    assert not LayerProgress(IMAGE).is_awaited
    progress = LayerProgress(IMAGE, asked=True)
    assert progress.is_awaited
    progress.note({"id": "a", "status": "Pulling fs layer"})
    progress.note({"id": "a", "status": "Downloading", "progressDetail": {"total": 2}})
    assert progress.is_awaited
    progress.note({"id": "a", "status": "Download complete"})
    assert not progress.is_awaited


def test_registry_is_not_awaited_where_podman_does_not_tell_bytes() -> None:
    progress = LayerProgress(IMAGE, asked=True)
    progress.note({"stream": "Copying blob sha256:1"})
    assert not progress.is_awaited

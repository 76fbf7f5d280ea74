"""Building an image from a folder with `podman build`, on the server that the socket leads to."""

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from codeb_mcp.adapters.podman_client import Podman
from codeb_mcp.adapters.process import Completed, run
from codeb_mcp.adapters.terminal_text import without_control_characters
from codeb_mcp.domain.host import LABEL
from codeb_mcp.domain.names import ImageReference, shown
from codeb_mcp.domain.watching import Told, unwatched
from codeb_mcp.errors import DeployFailed, InvalidRequest
from codeb_mcp.planning.stacks import BUILD_FILES

_TAIL_LINES = 40
_LINE_LENGTH = 500
_TELL_SECONDS = 0.5


async def build_image(
    podman: Podman,
    folder: Path,
    tag: ImageReference,
    *,
    environment: Mapping[str, str],
    seconds: float,
    told: Told = unwatched,
    options: Sequence[str] = (),
) -> str:
    """Build `folder`, name the image `tag` and give its id. `told` hears how it goes.

    Podman packs the folder without following links, so nothing outside of it is in the context.
    The id, since `tag` is another's as soon as two build at once. The end of the output is in
    what it raises.
    """
    file = build_file(folder)
    await podman.ping()
    with tempfile.TemporaryDirectory(prefix="codeb-build-") as scratch:
        id_file = Path(scratch) / "id"
        ended = await run(
            [
                "podman",
                f"--url={podman.url}",
                "build",
                f"--file={file}",
                f"--tag={tag}",
                f"--iidfile={id_file}",
                f"--label={LABEL}.managed=true",
                "--pull=missing",
                *options,
                str(file.parent),
            ],
            env=environment,
            seconds=seconds,
            check=False,
            on_line=_seldom(told),
        )
        image_id = id_file.read_text().strip() if id_file.exists() else ""
    if ended.returncode != 0:
        raise DeployFailed(
            f"building {shown(str(file), 200)} failed: {ended.last_error[:_LINE_LENGTH]}",
            hint="correct the step that failed; it is in the last lines of the output",
            code="build_failed",
            log_tail=tuple(_tail(ended)),
        )
    return image_id.removeprefix("sha256:")


def _seldom(told: Told) -> Told:
    """Passes every step on, and of other lines, of which there may be thousands, now and then."""
    passed = 0.0

    async def tell(line: str) -> None:
        nonlocal passed
        now = time.monotonic()
        if line.strip() and ("STEP " in line or now - passed >= _TELL_SECONDS):
            passed = now
            await told(without_control_characters(line)[:_LINE_LENGTH])

    return tell


def build_file(folder: Path) -> Path:
    """The folder's Containerfile, else its Dockerfile. Links are refused: they lead elsewhere."""
    try:
        return _build_file(folder)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InvalidRequest(
            f"{shown(str(folder), 200)} cannot be read: {reason}",
            hint="give the path of a folder that this account may read",
            code="no_build_folder",
        ) from None


def _build_file(folder: Path) -> Path:
    if folder.is_symlink() or not folder.is_dir():
        raise InvalidRequest(
            f"{shown(str(folder), 200)} is not a folder",
            hint="give the path of a folder on the server that holds a Containerfile",
            code="no_build_folder",
        )
    for name in BUILD_FILES:
        file = folder.absolute() / name
        if file.is_symlink():
            raise InvalidRequest(
                f"{shown(str(file), 200)} is a symbolic link",
                hint="put the file itself into the folder",
                code="no_build_file",
            )
        if file.is_file():
            return file
    raise InvalidRequest(
        f"{shown(str(folder), 200)} holds neither a Containerfile nor a Dockerfile",
        hint="add one; codeb init writes one for the project's type",
        code="no_build_file",
    )


def _tail(ended: Completed) -> Iterator[str]:
    lines = [*ended.stdout.splitlines(), *ended.stderr.splitlines()]
    for line in [line for line in lines if line.strip()][-_TAIL_LINES:]:
        yield without_control_characters(line)[:_LINE_LENGTH]

"""What `codeb init` writes into a project's folder. A file that is there is never replaced."""

from importlib.resources import files
from pathlib import Path

from codeb_mcp.errors import InvalidRequest

FILES = {".mcp.json": "mcp.json"}


def write_missing(folder: Path) -> list[Path]:
    """Write the files that are not there yet; which ones those were."""
    if not folder.is_dir():
        raise InvalidRequest(f"{folder} is not a folder", hint="make it, or pass another --folder")
    written = []
    for name, template in FILES.items():
        path = folder / name
        if not path.exists():
            path.write_text(files("codeb_mcp.templates").joinpath(template).read_text())
            written.append(path)
    return written

"""The archive of a run's logs: which of its files belongs to which job."""

import io
import re
import zipfile
from collections.abc import Mapping

LARGEST_LOG = 64_000_000
"""Bytes of one log that are read; the rest of it is cut off."""
_FILE = re.compile(r"-?\d+_([^/]+)\.txt")
_SAME = 60
"""GitHub cuts long names of jobs in the archive, and takes signs away that files may not have."""


def logs_by_job(archive: bytes) -> Mapping[str, str]:
    """The whole log of each job by the key of its name; nothing where it is no archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as files:
            return {
                key_of(found[1]): _read(files, info)
                for info in files.infolist()
                if (found := _FILE.fullmatch(info.filename))
            }
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError):
        return {}


def key_of(job: str) -> str:
    """What is left of a job's name when it names a file."""
    return re.sub(r"\W", "", job).lower()[:_SAME]


def _read(files: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    with files.open(info) as file:
        return file.read(LARGEST_LOG).decode("utf-8-sig", errors="replace")

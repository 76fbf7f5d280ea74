"""Secrets of an environment: `env/<project>-<environment>.env`, mode 0600, NAME=value lines."""

import hashlib
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from codeb_mcp.adapters.files import write_atomic
from codeb_mcp.domain.host import EnvFile
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.names import VariableName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.errors import CodebError, InvalidRequest

LARGEST_FILE = 1_000_000


class EnvFiles:
    """The env files below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, key: EnvironmentKey) -> str:
        """Where the file is, or would be."""
        return str(self._folder / f"{key.slug}.env")

    def read(self, key: EnvironmentKey) -> EnvFile | None:
        """The environment's file, or None. InvalidRequest when others may read it or it is bad."""
        path = Path(self.path(key))
        text = _text(path)
        if text is None:
            return None
        if (mode := stat.S_IMODE(path.stat().st_mode)) & 0o077:
            raise InvalidRequest(
                f"{path} can be read by others (mode {mode:04o})",
                hint=f"chmod 600 {path}",
                code="env_file_exposed",
            )
        variables = parse_env(text, path)
        return EnvFile(
            path=str(path),
            names=frozenset(variables),
            values=frozenset(_spellings(variables.values())),
            digest=hashlib.sha256(text.encode()).hexdigest()[:16],
        )

    def update(self, key: EnvironmentKey, changes: Mapping[VariableName, Secret | None]) -> None:
        """Set variables, and unset those with None; the rest of the file stays as it is."""
        self.read(key)  # one that is bad or exposed is not made worse
        path = Path(self.path(key))
        text = changed_text(_text(path) or "", changes)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomic(path, text, 0o600, alone=True)

    def remove(self, key: EnvironmentKey) -> None:
        """Remove the environment's file; absent is fine."""
        Path(self.path(key)).unlink(missing_ok=True)

    def read_file(self, path: Path) -> dict[VariableName, Secret]:
        """The variables of a `.env` file as developers write it: `export`, and quotes around."""
        text = _text(path)
        if text is None:
            raise _bad(path, "does not exist")
        return imported(text, path)


def changed_text(text: str, changes: Mapping[VariableName, Secret | None]) -> str:
    """An env file's text with variables set, and those with None taken out.

    Raises InvalidRequest for a value that a line cannot hold.
    """
    lines = [line for line in text.splitlines() if line.partition("=")[0].strip() not in changes]
    for name, secret in changes.items():
        if secret is not None:
            lines.append(f"{name}={_one_line(name, secret)}")
    return "".join(f"{line}\n" for line in lines)


def imported(text: str, path: Path) -> dict[VariableName, Secret]:
    """The variables of a `.env` file's text; `path` is what an error calls it."""
    lines = (line.strip().removeprefix("export ") for line in text.splitlines())
    variables = parse_env("\n".join(lines), path)
    return {VariableName(name): Secret(_unquoted(value)) for name, value in variables.items()}


def _text(path: Path) -> str | None:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            raise _bad(path, "is not a file")
        if path.stat().st_size > LARGEST_FILE:
            raise _bad(path, f"is larger than {LARGEST_FILE} bytes")
        return path.read_text()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise _bad(path, f"cannot be read: {error}") from None


def _one_line(name: VariableName, secret: Secret) -> str:
    value = secret.reveal()
    if value.splitlines() not in ([], [value]) or "\0" in value or not _encodable(value):
        raise InvalidRequest(
            f"the value of {name} has more than one line, which an env file cannot hold",
            hint="encode it, for example with base64, and decode it in the application",
            code="invalid_value",
        )
    return value


def _encodable(value: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in value)


def _unquoted(value: str) -> str:
    value = value.strip()
    quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value


def _spellings(values: Iterable[str]) -> Iterator[str]:
    """The values, also as an application shows them that takes quotes and blanks off."""
    for value in values:
        yield value
        yield value.strip().strip("'\"")


def parse_env(text: str, path: Path) -> dict[str, str]:
    """The variables of an env file, as Podman reads one: no quoting, `#` begins a comment line."""
    variables: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if "\0" in line:  # runc would say so with the value in its message
            raise _bad(path, f"line {number} holds a NUL character")
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        try:
            if not equals:
                raise _bad(path, f"line {number} is not NAME=value")
            variables[VariableName(name.strip())] = value
        except CodebError:
            raise _bad(path, f"line {number} does not begin with NAME=") from None
    return variables


def _bad(path: Path, what: str) -> InvalidRequest:
    return InvalidRequest(
        f"the env file {path} {what}", hint="correct that line", code="invalid_env_file"
    )

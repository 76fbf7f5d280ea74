"""Logins at image registries: `auth.json` in codeb's folder, mode 0600, in Podman's own format."""

import base64
import json
import stat
from pathlib import Path
from typing import Any

from codeb_mcp.adapters.files import write_atomic
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.registries import Login, RegistryName
from codeb_mcp.errors import InvalidRequest


class AuthFile:
    """The logins of one account. Each is used for its own registry only."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def login(self, registry: str) -> Login | None:
        """How to log in at that registry; None where nobody has said."""
        entry = self._entries().get(registry)
        if entry is None:
            return None
        try:
            user, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
        except (KeyError, TypeError, ValueError):
            raise self._bad(f"the login at {registry} cannot be read") from None
        return Login(user, Secret(password))

    def registries(self) -> list[str]:
        """Where there is a login."""
        return sorted(self._entries())

    def save(self, registry: RegistryName, login: Login) -> None:
        """Keep a login, in place of one for the same registry."""
        text = f"{login.user}:{login.password.reveal()}"
        entry = {"auth": base64.b64encode(text.encode()).decode()}
        self._write({**self._entries(), registry: entry})

    def forget(self, registry: RegistryName) -> bool:
        """Remove a login; False when there was none."""
        entries = self._entries()
        if entries.pop(registry, None) is None:
            return False
        self._write(entries)
        return True

    def _entries(self) -> dict[str, Any]:
        try:
            if (mode := stat.S_IMODE(self.path.stat().st_mode)) & 0o077:
                raise self._bad(f"can be read by others (mode {mode:04o})")
            entries = json.loads(self.path.read_text())["auths"]
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise self._bad(f"cannot be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError):
            raise self._bad("is not a file of registry logins") from None
        if not isinstance(entries, dict):
            raise self._bad("is not a file of registry logins")
        return entries

    def _write(self, entries: dict[str, Any]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomic(self.path, json.dumps({"auths": entries}, indent=2) + "\n", 0o600)

    def _bad(self, what: str) -> InvalidRequest:
        return InvalidRequest(
            f"{self.path} {what}",
            hint=f"chmod 600 {self.path}, or remove it and log in again with codeb login",
            code="auth_file_unusable",
        )

"""The bearer token of the HTTP transports: one file, readable by its owner alone."""

import hmac
import os
import secrets
import tempfile
from pathlib import Path

from mcp.server.auth.provider import AccessToken

from codeb_mcp.errors import HostNotReady, InvalidRequest

SHORTEST_TOKEN = 16


class BearerToken:
    """Accepts one token, compared in constant time."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    async def verify_token(self, token: str) -> AccessToken | None:
        """The access that `token` gives, or None."""
        if not hmac.compare_digest(token.encode(), self._token):
            return None
        return AccessToken(token=token, client_id="codeb", scopes=["codeb"])


def read_or_make_token(path: Path) -> str:
    """The token in `path`, made with mode 0600 when there is none.

    Raises InvalidRequest for a token that others can read or that could be guessed, HostNotReady
    when the file can be neither read nor made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        if not path.exists():
            _make(path)
        if path.stat().st_mode & 0o077:
            raise InvalidRequest(
                f"the token file {path} can be read by others", hint=f"chmod 600 {path}"
            )
        token = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise HostNotReady(
            f"the token file {path} cannot be read or made: {error.strerror}",
            hint="correct its owner, or choose another folder with CODEB_HOME",
        ) from None
    except UnicodeDecodeError:
        token = ""
    if len(token) < SHORTEST_TOKEN or not all("!" <= character <= "~" for character in token):
        raise InvalidRequest(
            f"the token in {path} is not one word of {SHORTEST_TOKEN} ASCII characters or more",
            hint="delete the file and start again: a new one is made",
        )
    return token


def _make(path: Path) -> None:
    """Write a new token. Of two servers that start at once, both then read the same one."""
    descriptor, temporary = tempfile.mkstemp(prefix=".token.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        path.hardlink_to(temporary)
    except FileExistsError:
        pass  # the other server was first
    finally:
        Path(temporary).unlink()

"""One HTTP request, one bounded answer, or a short reason why there was none.

httpx is imported on first use: it takes a quarter of a second, which a command that talks to
nobody should not pay.
"""

import json
import os
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    import httpx

MAX_BODY = 65_536
NO_TLS = "no TLS connection could be made"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. `body` ends after the number of bytes that the caller asked for."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """A 2xx answer."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body as JSON, or None when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")


class NoAnswer(Exception):
    """Nothing came back. `reason` is a few words, such as `connection refused`.

    `sent` is False when the request cannot have reached anyone, so that repeating it is safe.
    """

    def __init__(self, reason: str, *, sent: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to ask: `base` such as `http://127.0.0.1:2019`, over the unix socket when given.

    `server_name` is sent as Host and, over TLS, as SNI; such a TLS connection is made to this
    machine only, and its certificate is not checked, since nothing secret goes over it.
    """

    base: str
    unix_socket: str | None = None
    server_name: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


async def fetch(
    target: Target,
    path: str,
    *,
    seconds: float,
    method: str = "GET",
    body: object = None,
    headers: Mapping[str, str] | None = None,
    limit: int = MAX_BODY,
) -> Answer:
    """One request, without following redirects. `body`, when not None, is sent as JSON.

    Raises NoAnswer; `seconds` bounds everything from connecting to the end of the body.
    """
    import httpx  # noqa: PLC0415 - slow to import, see above

    sent = {"accept-encoding": "identity", "user-agent": "codeb", **target.headers}
    sent |= headers or {}
    if body is not None:
        sent["content-type"] = "application/json"
    if target.server_name:
        sent["host"] = target.server_name
    try:
        with anyio.fail_after(seconds):
            async with _client(target) as client:
                return await _exchange(
                    client,
                    httpx.Request(
                        method,
                        target.base + path,
                        headers=sent,
                        content=None if body is None else json.dumps(body),
                        extensions={"sni_hostname": target.server_name}
                        if target.server_name
                        else {},
                    ),
                    limit,
                )
    except TimeoutError:
        raise NoAnswer(f"timed out after {seconds:g} s") from None
    except httpx.ConnectError as error:
        raise NoAnswer(_connect_reason(error), sent=False) from None
    except httpx.RemoteProtocolError as error:
        closed = "disconnected" in str(error) or "closed" in str(error)
        words = "closed the connection without an answer" if closed else "did not answer in HTTP"
        raise NoAnswer(words) from None
    except httpx.TransportError as error:
        raise NoAnswer(_os_reason(error) or "broke the connection") from None
    except httpx.InvalidURL:
        raise NoAnswer("not an address that can be asked", sent=False) from None


async def _exchange(client: "httpx.AsyncClient", request: "httpx.Request", limit: int) -> Answer:
    response = await client.send(request, stream=True)
    try:
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) >= limit:
                break
        return Answer(response.status_code, bytes(body[:limit]), dict(response.headers))
    finally:
        await response.aclose()


def _client(target: Target) -> "httpx.AsyncClient":
    import httpx  # noqa: PLC0415 - slow to import, see above

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if target.server_name:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif target.base.startswith("https:"):
        context.load_default_certs()
    transport = httpx.AsyncHTTPTransport(verify=context, uds=target.unix_socket, trust_env=False)
    # No timeout of httpx's own: they are per operation, and ours is for the whole.
    return httpx.AsyncClient(transport=transport, timeout=None, trust_env=False)  # noqa: S113


def _connect_reason(error: BaseException) -> str:
    if any(isinstance(cause, ssl.SSLError) for cause in _causes(error)):
        return NO_TLS
    return _os_reason(error) or "no connection could be made"


def _os_reason(error: BaseException) -> str:
    """What the operating system called it: the most inner cause that has a number."""
    codes = [cause.errno for cause in _causes(error) if isinstance(cause, OSError) and cause.errno]
    return os.strerror(codes[-1]).lower() if codes else ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _causes(inner)
        error = error.__cause__ or error.__context__

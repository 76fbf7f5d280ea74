"""Caddy's admin API: reads the configuration, changes it if nobody else has meanwhile."""

from collections.abc import Callable
from typing import Any

import anyio

from codeb_mcp.adapters.http_client import Answer, NoAnswer, Target, fetch
from codeb_mcp.domain.host import Json
from codeb_mcp.domain.names import shown
from codeb_mcp.errors import HostNotReady, SystemFailed
from codeb_mcp.planning.servers import smallest_change

READ_SECONDS = 2.5
REOPEN_SECONDS = 1.0
WRITE_SECONDS = 20.0
EDIT_SECONDS = 30.0
MAX_CONFIG = 32_000_000

Change = Callable[[Json | None], Json | None]


class CaddyAdmin:
    """The admin endpoint at `address`: `unix//path` or `http://host:port`.

    `start_hint` is what a person runs when it is down.
    """

    def __init__(self, address: str, start_hint: str) -> None:
        self.address = address
        self._start_hint = start_hint
        self._listen = address.removeprefix("http://").rstrip("/")
        if address.startswith("unix/"):
            socket = address.removeprefix("unix/").partition("|")[0]
            # Caddy accepts any Host on a unix socket.
            self._target = Target("http://caddy", unix_socket=socket)
        else:
            self._target = Target(address.rstrip("/"))

    async def get(self, path: str) -> Answer:
        """GET, or HostNotReady within four seconds.

        Caddy opens its admin endpoint anew with each change of its configuration, whoever made
        it, and cuts off who asks just then: so it is asked again for a moment.
        """
        until = anyio.current_time() + REOPEN_SECONDS
        while True:
            try:
                return await fetch(self._target, path, seconds=READ_SECONDS, limit=MAX_CONFIG)
            except NoAnswer as nothing:
                if anyio.current_time() >= until:
                    raise HostNotReady(
                        f"Caddy's admin endpoint {self.address} does not answer: {nothing.reason}",
                        hint=f"start it: {self._start_hint}",
                        code="caddy_down",
                    ) from None
            await anyio.sleep(0.05)

    async def config(self) -> tuple[Json | None, str]:
        """The whole configuration, None when it is empty, and the Etag that stands for it."""
        answer = await self.get("/config/")
        if not answer.ok or "etag" not in answer.headers:
            raise HostNotReady(
                f"what answers at {self.address} is not Caddy's admin endpoint "
                f"(HTTP {answer.status}): {shown(answer.text)}",
                hint="correct caddy_admin in codeb's settings",
                code="caddy_down",
            )
        return answer.json(), answer.headers["etag"]

    async def edit(self, what: str, change: Change) -> None:
        """Apply `change` until a fresh look shows that nothing is left to change.

        Each write is bound to the configuration that it was made from, so that two at once
        neither lose nor double anything, and each is followed by a look, so that an admin
        endpoint that went away with the write is noticed. Writing nothing is not a reload.
        """
        with anyio.move_on_after(EDIT_SECONDS):
            attempt = 0
            before, etag = await self.config()
            while (after := change(before)) is not None and after != before:
                if before is None:
                    # Without this block, an empty Caddy would move its admin endpoint.
                    after = {"admin": {"listen": self._listen}, **after}
                await self._write(what, smallest_change(before, after), etag)
                # Others who were refused at the same moment should not all come back at once.
                await anyio.sleep(0.002 * min(attempt, 50))
                attempt += 1
                before, etag = await self.config()
            return
        raise SystemFailed(
            f"Caddy did not settle within {EDIT_SECONDS:g} s while {what}: "
            "its configuration keeps changing",
            hint="see what else writes to its admin endpoint, then try again",
            code="caddy_contended",
        )

    async def _write(self, what: str, change: tuple[str, str, Any], etag: str) -> None:
        method, path, value = change
        try:
            answer = await fetch(
                self._target,
                path,
                method=method,
                body=value,
                headers={"if-match": etag},
                seconds=WRITE_SECONDS,
            )
        except NoAnswer:
            return  # The look that follows tells whether it was carried out, or that Caddy is down.
        if not answer.ok and answer.status != 412:
            raise _failed(what, answer)


def _failed(what: str, answer: Answer) -> SystemFailed:
    body = answer.json()
    said = body.get("error") if isinstance(body, dict) else None
    return SystemFailed(
        f"Caddy refused while {what} (HTTP {answer.status}): {shown(said or answer.text, 400)}",
        hint="nothing was changed; correct what it names in Caddy's configuration "
        "(journalctl -u caddy, or caddy.log in codeb's logs folder, says more), then try again",
        code="caddy_refused",
    )

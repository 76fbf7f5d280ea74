"""Pulling an image from a registry: room first, with a login, tried again, watched, in bounds."""

import base64
import json
import time
from typing import Any

import anyio

from codeb_mcp.adapters.auth_file import AuthFile
from codeb_mcp.adapters.disk_space import least_free
from codeb_mcp.adapters.podman_client import Podman, failure_of
from codeb_mcp.adapters.pull_errors import pull_error
from codeb_mcp.adapters.registry_api import Busy, RegistryApi
from codeb_mcp.domain.names import ImageReference
from codeb_mcp.domain.registries import Login, Manifest, registry_of
from codeb_mcp.domain.watching import Told
from codeb_mcp.errors import CodebError, SystemFailed
from codeb_mcp.planning.pulls import LayerProgress, disk_full, pause_before_retry, room_needed

_TELL_SECONDS = 0.5
_SILENT_SECONDS = 900.0
"""How long Podman may say nothing at all, as while it unpacks a large layer."""


class Puller:
    """Pulls through Podman.

    `free_disk` is in bytes; `seconds` bounds a whole pull with its pauses, `patience` is how long
    the registry may send nothing while something is awaited of it.
    """

    def __init__(
        self,
        podman: Podman,
        logins: AuthFile | None,
        *,
        free_disk: int,
        seconds: float,
        patience: float,
    ) -> None:
        self._podman = podman
        self._logins = logins
        self._api = RegistryApi(logins) if logins else None
        self._free_disk = free_disk
        self._seconds = seconds
        self._patience = patience

    async def pull(self, reference: ImageReference, told: Told) -> str:
        """Bring the image here; the name under which local storage has it then.

        What passes by itself is waited for and tried again. Raises what `pull_error` tells,
        HostNotReady (`disk_full`) before anything was begun, SystemFailed after `seconds`, or when
        nothing comes any more.
        """
        name = _without_tag_beside_digest(reference)
        deadline = time.monotonic() + self._seconds
        failures = 0
        while True:
            retry_after: float | None = None
            try:
                with anyio.fail_after(max(0.0, deadline - time.monotonic())):
                    await self._once(ImageReference(name), told, deadline)
                return name
            except TimeoutError:
                raise self._timeout(reference) from None
            except Busy as busy:
                retry_after = busy.seconds
                failure: CodebError = _rate_limited(reference, retry_after)
            except CodebError as error:
                failure = error
            failures += 1
            left = deadline - time.monotonic()
            pause = pause_before_retry(failure, failures, retry_after, left)
            if pause is None:
                raise failure
            await told(f"trying again in {pause:g} s: {failure.message[:200]}")
            await anyio.sleep(pause)

    async def require_room(self, manifest: Manifest | None, what: str) -> None:
        """Raise HostNotReady (`disk_full`) when too little is left for `what`."""
        needed = room_needed(manifest, self._free_disk)
        if not needed:
            return
        found = await self._podman.run_cancellable(least_free, "say how much room is left")
        if found is not None and found[0] < needed:
            raise disk_full(what, found[1], found[0], needed)

    async def _once(self, reference: ImageReference, told: Told, deadline: float) -> None:
        manifest = await self._api.manifest(reference) if self._api else None
        if manifest is not None and await self._is_here(reference, manifest):
            return
        await self.require_room(manifest, f"image {reference}")
        progress = LayerProgress(manifest)
        login = self._logins.login(registry_of(reference)) if self._logins else None

        def work(client: Any) -> None:
            _fetch(client, reference, login, progress, deadline, self._timeout(reference))

        failure: CodebError | None = None
        async with anyio.create_task_group() as group:

            async def watch() -> None:
                nonlocal failure
                await _until_stalled(progress, told, self._patience)
                failure = await self._stalled(reference, manifest, progress)
                group.cancel_scope.cancel()

            group.start_soon(watch)
            try:
                await self._podman.run_cancellable(work, f"pull {reference}")
            except CodebError as error:  # the group would wrap it
                failure = error
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _is_here(self, reference: str, manifest: Manifest) -> bool:
        """Whether local storage has this very image under this very name."""

        def work(client: Any) -> bool:
            answer = client.api.get("/images/json", params={"filters": _named(reference)})
            answer.raise_for_status()
            digests = [each for image in answer.json() for each in image.get("RepoDigests") or ()]
            return any(each.rpartition("@")[2] == manifest.digest for each in digests)

        return await self._podman.run_cancellable(work, f"look for {reference}")

    async def _stalled(
        self, reference: str, manifest: Manifest | None, progress: LayerProgress
    ) -> SystemFailed:
        """Whose fault it is that nothing comes: Podman's, where the registry sends to us."""
        asks = self._api if not progress.lines else None
        if asks and manifest and await asks.sends(reference, manifest.first):
            return SystemFailed(
                f"Podman could not pull {reference}: it has not begun within "
                f"{self._patience:g} s, though the registry sends",
                hint="try again; if it happens again, restart Podman's service",
                code="podman_timeout",
            )
        return SystemFailed(
            f"image {reference}: the registry {registry_of(reference) or 'docker.io'} has sent "
            f"nothing for {self._patience:g} s",
            hint="try again; layers already here are not fetched again. A network that stalls "
            "for longer and then goes on needs a larger pull_timeout (CODEB_PULL_TIMEOUT)",
            code="registry_stalled",
        )

    def _timeout(self, reference: str) -> SystemFailed:
        return SystemFailed(
            f"image {reference} was not pulled within {self._seconds:g} s",
            hint="check the server's network to the registry, then try again; "
            "layers already here are not fetched again",
            code="pull_timeout",
        )


def _fetch(
    client: Any,
    reference: ImageReference,
    login: Login | None,
    progress: LayerProgress,
    deadline: float,
    late: SystemFailed,
) -> None:
    """One pull. Runs in a thread that may be left behind, and ends by itself at the deadline."""
    left = max(0.1, min(_SILENT_SECONDS, deadline - time.monotonic()))
    progress.asked = True
    try:
        answer = client.api.post(
            "/images/pull",
            # compatMode: progress in bytes, from Podmans that know it
            params={"reference": str(reference), "policy": "always", "compatMode": True},
            headers=_credentials(reference, login),
            timeout=(10.0, left),
            stream=True,
        )
        if answer.status_code >= 400:
            raise _refusal(reference, answer)
        for line in answer.iter_lines():
            told = json.loads(line) if line else {}
            if not isinstance(told, dict):
                raise ValueError(f"it said {told!r:.100}")
            # the answer is 200 even for a pull that fails: the reason comes as its last line
            if reason := told.get("error"):
                raise pull_error(reference, str(reason))
            progress.note(told)
            if time.monotonic() > deadline:
                raise late
    except OSError as error:
        if isinstance(error, TimeoutError) or "timed out" in f"{error} {error.__cause__}":
            raise late from None
        raise


def _credentials(reference: str, login: Login | None) -> dict[str, str]:
    """The login for the reference's own registry, as Podman's API takes it: for no other."""
    if login is None:
        return {}
    given = {"username": login.user, "password": login.password.reveal()}
    text = json.dumps({registry_of(reference): given})
    return {"X-Registry-Config": base64.urlsafe_b64encode(text.encode()).decode()}


def _refusal(reference: ImageReference, answer: Any) -> CodebError:
    """What an answer with an HTTP error means: the image's fault, the registry's, or Podman's."""
    error = pull_error(reference, failure_of(answer))
    if error.code != "pull_failed":
        return error
    return SystemFailed(
        f"Podman could not pull {reference}: HTTP {answer.status_code}: {failure_of(answer)}",
        hint="try again; `podman info` tells whether Podman itself is well",
        code="podman_failed",
    )


async def _until_stalled(progress: LayerProgress, told: Told, patience: float) -> None:
    """Tell how far it is; return when nothing has come for `patience` seconds that should have."""
    said, heard, lines = "", anyio.current_time(), progress.lines
    while anyio.current_time() - heard < patience:
        await anyio.sleep(min(_TELL_SECONDS, patience))
        if (now := str(progress)) != said:
            said = now
            await told(said)
        if progress.lines != lines or not progress.is_awaited:
            heard, lines = anyio.current_time(), progress.lines


def _named(reference: str) -> str:
    return json.dumps({"reference": [reference]})


def _without_tag_beside_digest(reference: str) -> str:
    """`repo@sha256:…` of `repo:tag@sha256:…`: the digest says it all, and Podman takes one only."""
    name, at, digest = reference.partition("@")
    if not at:
        return reference
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}{at}{digest}"


def _rate_limited(reference: str, seconds: float | None) -> SystemFailed:
    when = f" for {seconds:g} s" if seconds is not None else ""
    registry = registry_of(reference)
    return SystemFailed(
        f"image {reference}: the registry {registry} wants to be left alone{when} (HTTP 429)",
        hint=f"wait, or log in for a higher limit: codeb login {registry}",
        code="registry_rate_limited",
    )

"""Reading what Podman and the kernel know about a container."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from codeb_mcp.adapters.podman_client import failure_of
from codeb_mcp.domain.host import LABEL, ContainerState, ObservedContainer
from codeb_mcp.domain.project import EnvironmentKey, Slot

NOT_RUNNING = frozenset({"created", "configured", "initialized", "exited", "stopped"})
_LISTEN = "0A"


def inspected(client: Any, name: str) -> dict[str, Any] | None:
    """Podman's description of a container by name or id; None when there is none."""
    answer = client.api.get(f"/containers/{quote(name, safe='')}/json")
    # one that is being removed is found by its name, then missing: an error 500 of that text
    if answer.status_code == 404 or (
        answer.status_code == 500 and "no such container" in failure_of(answer)
    ):
        return None
    answer.raise_for_status()
    seen: dict[str, Any] = answer.json()
    return seen


def belongs_to(seen: dict[str, Any], key: EnvironmentKey, home: str | None = None) -> Slot | None:
    """The slot that the container fills in `key`, or None when it is not one of ours.

    With `home` it is ours only if it belongs to that codeb folder.

    A container takes over its image's labels, so the name has to agree with them as well.
    """
    labels = seen["Config"].get("Labels") or {}
    for slot in Slot:
        wanted = {"project": key.project, "environment": key.environment, "slot": slot}
        if home is not None:
            wanted["home"] = home
        named = seen["Name"].lstrip("/") == key.container(slot)
        if named and all(labels.get(f"{LABEL}.{word}") == text for word, text in wanted.items()):
            return slot
    return None


def key_of(seen: dict[str, Any], home: str) -> tuple[EnvironmentKey, Slot] | None:
    """The place of a container of that codeb folder, or None when it is not one of its own."""
    labels = seen["Config"].get("Labels") or {}
    name = seen["Name"].lstrip("/").removeprefix("codeb-").rpartition("-")[0]
    key = EnvironmentKey.of_slug(name)
    slot = key and labels.get(f"{LABEL}.managed") == "true" and belongs_to(seen, key, home)
    return (key, slot) if key and slot else None


def listed_containers(client: Any, home: str) -> list[tuple[EnvironmentKey, Slot]]:
    """The places of all containers of that codeb folder."""
    labels = [f"{LABEL}.managed=true", f"{LABEL}.home={home}"]
    answer = client.api.get(
        "/containers/json", params={"all": True, "filters": json.dumps({"label": labels})}
    )
    answer.raise_for_status()
    each_seen = (inspected(client, listed["Id"]) for listed in answer.json())
    places = (key_of(seen, home) for seen in each_seen if seen is not None)
    return [place for place in places if place is not None]


def observed_container(seen: dict[str, Any], slot: Slot) -> ObservedContainer:
    """A container of ours in codeb's words."""
    labels, state = seen["Config"]["Labels"], _state(seen["State"]["Status"])
    release = labels.get(f"{LABEL}.release", "")
    return ObservedContainer(
        name=seen["Name"].lstrip("/"),
        slot=slot,
        release=int(release) if release.isdecimal() else 0,
        image_id=seen["Image"].removeprefix("sha256:"),
        spec_digest=labels.get(f"{LABEL}.spec", ""),
        state=state,
        exit_code=seen["State"]["ExitCode"] if state is ContainerState.EXITED else None,
        restarts=int(seen.get("RestartCount") or 0),
        pid=seen["State"]["Pid"] or None,
    )


def owner_of(seen: dict[str, Any]) -> str:
    """A stranger's container in words: its image and short id."""
    if home := (seen["Config"].get("Labels") or {}).get(f"{LABEL}.home"):
        return f"it belongs to the codeb folder {home}"
    return f"image {seen.get('ImageName') or seen['Image'][:12]}, id {seen['Id'][:12]}"


def tcp_listeners(pid: int | None) -> tuple[int, ...]:
    """The TCP ports listened on in the network namespace of process `pid`, lowest first."""
    if not pid:
        return ()
    try:
        tables = [Path(f"/proc/{pid}/net/{kind}").read_text() for kind in ("tcp", "tcp6")]
    except OSError:
        return ()
    return tuple(sorted({port for table in tables for port in _listening(table)}))


def _listening(table: str) -> Iterator[int]:
    for row in table.splitlines()[1:]:
        columns = row.split()
        if len(columns) > 3 and columns[3] == _LISTEN:
            yield int(columns[1].rpartition(":")[2], 16)


def _state(status: str) -> ContainerState:
    match status:
        case "running":
            return ContainerState.RUNNING
        case "created" | "configured" | "initialized" | "paused":
            return ContainerState.STARTING
        case _:
            return ContainerState.EXITED

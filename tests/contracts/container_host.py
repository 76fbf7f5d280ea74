"""A host that runs containers, as the contract suites see one: in memory or real."""

import asyncio
import shutil
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import podman

from codeb_mcp.adapters.podman import PodmanImages
from codeb_mcp.adapters.probe import HttpProbe
from codeb_mcp.domain.host import ContainerSpec
from codeb_mcp.domain.names import ImageReference
from codeb_mcp.domain.project import EnvironmentKey, Slot
from codeb_mcp.services.systems import Images, Runtime
from tests.fakes.containers import WRONG_PORT, Application

BUSYBOX = "/bin/busybox"
# httpd ignores SIGTERM as PID 1, which would cost the whole stop timeout at every stop
CONTAINERFILE = """\
FROM scratch
COPY bin /bin
COPY www /www
STOPSIGNAL SIGKILL
EXPOSE 8080/tcp 8125/udp
CMD [{command}]
"""
_COMMANDS = {
    Application.HEALTHY: ("httpd", "-f", "-p", "8080", "-h", "/www"),
    Application.EXITS: ("sh", "-c", "echo cannot start; exit 3"),
    Application.WRONG_PORT: ("httpd", "-f", "-p", f"{WRONG_PORT}", "-h", "/www"),
    Application.MUTE: ("sleep", "1000"),
}


class ContainerHost(Protocol):
    """What a contract needs beside the systems themselves."""

    @property
    def images(self) -> Images:
        """The images under test."""

    @property
    def runtime(self) -> Runtime:
        """The runtime under test."""

    async def image(self, application: Application) -> ImageReference:
        """The name of an image in local storage whose program behaves so."""

    async def status(self, port: int) -> int | None:
        """What 127.0.0.1:`port` answers; None when nothing does."""

    def free_port(self) -> int:
        """A port that nothing listens on."""

    def take_port(self, port: int) -> None:
        """Have a stranger listen on the port."""

    async def add_stranger(self, name: str) -> None:
        """Make a container of this name that is not codeb's."""

    async def has_stranger(self, name: str) -> bool:
        """Whether that container is still there."""

    def log_folder(self) -> Path:
        """Where logs may be written."""


async def spec_for(
    host: ContainerHost,
    key: EnvironmentKey,
    slot: Slot = Slot.BLUE,
    release: int = 1,
    *,
    application: Application = Application.HEALTHY,
    **more: Any,
) -> ContainerSpec:
    """A release that is ready to start: its image is tagged as a deploy would tag it."""
    image = await host.images.pull(await host.image(application))
    tag = f"localhost/codeb/{key.project}/{key.environment}:r{release}"
    await host.images.tag(image.id, tag)
    values: dict[str, Any] = {
        "host_port": host.free_port(),
        "container_port": 8080,
        "log_path": str(host.log_folder() / f"{key.slug}-r{release}.log"),
        "stop_timeout": 2,
        **more,
    }
    return ContainerSpec(key, slot, release, tag, image.id, **values)


@dataclass
class RealHost:
    """Podman on a socket, its images made from the host's static busybox."""

    socket_path: Path
    folder: Path
    runtime: Runtime
    images: PodmanImages
    built: dict[Application, ImageReference] = field(default_factory=dict)
    taken: list[socket.socket] = field(default_factory=list)

    async def image(self, application: Application) -> ImageReference:
        if application not in self.built:
            tag = ImageReference(f"localhost/contract-{application.replace('_', '-')}")
            await self.images.build(self._context(application), tag)
            self.built[application] = tag
        return self.built[application]

    async def status(self, port: int) -> int | None:
        return (await HttpProbe().get(port, "/", 2)).status

    def free_port(self) -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    def take_port(self, port: int) -> None:
        listener = socket.create_server(("127.0.0.1", port))
        self.taken.append(listener)

    async def add_stranger(self, name: str) -> None:
        image = await self.image(Application.MUTE)
        await asyncio.to_thread(self._create, image, name)

    async def has_stranger(self, name: str) -> bool:
        return await asyncio.to_thread(self._exists, name)

    def log_folder(self) -> Path:
        return self.folder / "logs"

    def clean(self) -> None:
        """Remove every container, ours or not, and every release tag, and free the ports."""
        for listener in self.taken:
            listener.close()
        self.taken.clear()
        with self.client() as client:
            for container in client.containers.list(all=True):
                client.containers.remove(container, force=True)
            for image in client.images.list():
                for tag in image.tags:
                    if tag.startswith("localhost/codeb/"):
                        client.images.remove(tag)

    def client(self) -> podman.PodmanClient:
        """For what the Protocols do not offer."""
        return podman.PodmanClient(base_url=f"unix://{self.socket_path}", timeout=60)

    def _create(self, image: str, name: str) -> None:
        # made from an image of codeb's, whose labels it has
        with self.client() as client:
            client.containers.create(image, name=name).start()

    def _exists(self, name: str) -> bool:
        with self.client() as client:
            return bool(client.containers.exists(name))

    def _context(self, application: Application) -> Path:
        context = self.folder / f"build-{application}"
        (context / "bin").mkdir(parents=True)
        (context / "www").mkdir()
        busybox = shutil.which("busybox")
        assert busybox is not None, "install busybox-static"
        shutil.copy(Path(busybox).resolve(), context / "bin" / "busybox")
        (context / "www" / "index.html").write_text("hello\n")
        words = ", ".join(f'"{word}"' for word in (BUSYBOX, *_COMMANDS[application]))
        (context / "Containerfile").write_text(CONTAINERFILE.format(command=words))
        return context

"""What a test needs of a host that codeb deploys to, over MCP as a client would."""

import contextlib
import io
import tarfile
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import TextContent

APPLICATION = Path(__file__).parents[1] / "application"
CONFIG = {
    "health_interval": 0.2,
    "health_retries": 15,
    "drain_timeout": 10.0,
    "keep_images": 3,
    # whom a person lets deploy is tested by itself
    "agent_may_deploy": ["production", "staging", "preview"],
    "database_images": "localhost",
}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that a deploy may leave behind on a host."""

    containers: frozenset[str]
    units: frozenset[str]
    routes: frozenset[str]
    records: frozenset[str]
    ports: frozenset[str]
    markers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A tool's result: its structured content, or the text of its error."""

    content: dict[str, Any]
    error: str


class Session:
    """An MCP session with the server on a site."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """A call that is meant to succeed."""
        answer = await self.ask(tool, **arguments)
        assert not answer.error, answer.error
        return answer.content

    async def ask(self, tool: str, **arguments: Any) -> Answer:
        """A call, whatever becomes of it."""
        result = await self.client.call_tool(tool, arguments)
        texts = [each.text for each in result.content if isinstance(each, TextContent)]
        return Answer(
            dict(result.structured_content or {}), "\n".join(texts) if result.is_error else ""
        )


class Site(ABC):
    """A host with codeb on it."""

    name: str
    base_domain: str

    @abstractmethod
    def command(self, **variables: str) -> list[str]:
        """The command that a client spawns for an MCP session over stdio."""

    def environment(self) -> Mapping[str, str] | None:
        """The environment for that command, where it needs one."""
        return None

    @abstractmethod
    def url(self) -> str:
        """Caddy's address as the tests reach it, without a final slash."""

    @abstractmethod
    def codeb(self, *argv: str) -> str:
        """Run `codeb` and give its output; it is meant to succeed."""

    @abstractmethod
    def try_codeb(self, *argv: str, stdin: bytes = b"") -> Ended:
        """Run `codeb`, however it ends."""

    @abstractmethod
    def podman(self, *argv: str, stdin: bytes | None = None) -> str:
        """Run Podman where the site's images are."""

    @abstractmethod
    def snapshot(self) -> Snapshot:
        """What is there now."""

    @abstractmethod
    def stop_system(self, system: str) -> None:
        """Take `podman`, `caddy` or `powerdns` down."""

    @abstractmethod
    def start_system(self, system: str) -> None:
        """Bring it back."""

    @abstractmethod
    def publish(self, image: str) -> str:
        """Make a local image available under the reference that a deploy names."""

    @abstractmethod
    def sql(self, statement: str) -> None:
        """Change the registry by hand."""

    @abstractmethod
    def admin_socket(self) -> Path:
        """Caddy's admin endpoint, as this process reaches it."""

    def delete_route(self, route_id: str) -> None:
        """Take a route out of Caddy by hand."""
        transport = httpx.HTTPTransport(uds=str(self.admin_socket()))
        with httpx.Client(transport=transport) as client:
            client.delete(f"http://localhost/id/{route_id}").raise_for_status()

    @contextlib.asynccontextmanager
    async def session(self, **variables: str) -> AsyncIterator[Session]:
        """An MCP session of its own, as a client's; `variables` are the server's."""
        program, *arguments = self.command(**variables)
        environment = self.environment()
        server = StdioServerParameters(
            command=program, args=arguments, env=dict(environment) if environment else None
        )
        async with Client(stdio_client(server)) as client:
            yield Session(client)

    def image(self, tag: str, page: str = "release 0\n", containerfile: Sequence[str] = ()) -> str:
        """Build the tests' application with `page`, more lines of Containerfile, and a tag."""
        name = f"localhost/{tag}"
        self.podman(
            "build", "--quiet", "--tag", name, "-", stdin=build_context(page, containerfile)
        )
        return self.publish(name)

    async def get(self, domain: str, path: str = "/") -> httpx.Response:
        """What a visitor of `domain` gets."""
        async with httpx.AsyncClient(timeout=10) as client:
            return await client.get(f"{self.url()}{path}", headers={"Host": domain})


def build_context(page: str, containerfile: Sequence[str]) -> bytes:
    """The application's folder as a tar, with its page replaced and its Containerfile added to."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in sorted(APPLICATION.rglob("*")):
            if path.is_dir():
                continue
            content = path.read_bytes()
            if path.name == "index.html":
                content = page.encode()
            if path.name == "Containerfile":
                content += "".join(f"{line}\n" for line in containerfile).encode()
            entry = tarfile.TarInfo(str(path.relative_to(APPLICATION)))
            entry.size, entry.mode = len(content), path.stat().st_mode & 0o777
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def routes_of(config: Any) -> frozenset[str]:
    """The ids of the routes in a Caddy configuration."""
    servers = (((config or {}).get("apps") or {}).get("http") or {}).get("servers") or {}
    return frozenset(
        str(route.get("@id")) for server in servers.values() for route in server.get("routes") or ()
    )


def caddy_config(socket: Path) -> Any:
    """Caddy's configuration, through its admin socket."""
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket))) as client:
        return client.get("http://localhost/config/").json()

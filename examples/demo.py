"""`make demo`: an agent's MCP session deploys an example, changes it and deploys it again.

Everything is real: the MCP server over stdio, Podman, Caddy, SQLite. Nothing outside of the
demo's own folder is changed; `make demo-clean` removes it, with its containers and images.
"""

import argparse
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import CallToolResult, TextContent
from rich.console import Console
from rich.markup import escape

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
HOME = Path(os.environ.get("CODEB_DEMO_HOME", Path.home() / ".local" / "state" / "codeb-demo"))
FOLDER = HOME / "hello"
BASE_IMAGE = "localhost/codeb-demo/busybox"
PORTS = (8080, 8088, 18080, 28080)

out = Console(highlight=False, soft_wrap=True)


def main() -> None:
    """Run the demo, or remove what it made."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--clean", action="store_true", help="remove everything the demo made")
    if arguments.parse_args().clean:
        clean()
        return
    prepare()
    anyio.run(session)


def heading(text: str) -> None:
    """A line that says what comes."""
    out.print(f"\n[bold cyan]── {escape(text)}[/]")


def environment() -> dict[str, str]:
    """The environment of every command of the demo: a folder of its own."""
    return {**os.environ, "CODEB_HOME": str(HOME)}


def codeb(*argv: str, check: bool = True) -> str:
    """Run `codeb` and give its output."""
    completed = subprocess.run(
        [BIN / "codeb", *argv], env=environment(), capture_output=True, text=True, check=False
    )
    if check and completed.returncode != 0:
        sys.exit(f"codeb {' '.join(argv)} failed:\n{completed.stderr or completed.stdout}")
    return completed.stdout


def podman(*argv: str, stdin: bytes | None = None, check: bool = True) -> str:
    """Run Podman against the service that codeb keeps running."""
    services = json.loads(codeb("local", "status", "--json"))["services"]
    podman_socket = next(each["endpoint"] for each in services if each["name"] == "podman")
    completed = subprocess.run(
        ["podman", "--url", f"unix://{podman_socket}", *argv],
        input=stdin,
        capture_output=True,
        check=False,
    )
    if check and completed.returncode != 0:
        sys.exit(f"podman {' '.join(argv)} failed:\n{completed.stderr.decode()}")
    return completed.stdout.decode()


def prepare() -> None:
    """Choose a port, start the embedded Podman service and Caddy, and make the base image."""
    heading("Starting Podman's API service and Caddy for the demo")
    HOME.mkdir(parents=True, exist_ok=True)
    config = HOME / "config.toml"
    if not config.exists():
        config.write_text(
            f"http_port = {free_port()}\nhealth_interval = 0.2\nhealth_retries = 50\n"
        )
    out.print(codeb("local", "start").strip())
    if BASE_IMAGE not in podman("images", "--format", "{{.Repository}}"):
        podman("import", "-", BASE_IMAGE, stdin=busybox_root())
        out.print(f"made the image {BASE_IMAGE} from this machine's busybox")
    shutil.copytree(ROOT / "examples" / "hello", FOLDER, dirs_exist_ok=True)


def free_port() -> int:
    """A port for Caddy that no other program listens on."""
    for port in PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    sys.exit(f"none of the ports {PORTS} is free; set http_port in {HOME / 'config.toml'}")


def busybox_root() -> bytes:
    """A root file system, as a tar, that holds busybox and its shell."""
    binary = Path(shutil.which("busybox") or "/bin/busybox").read_bytes()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for folder in ("bin", "tmp", "etc"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        entry = tarfile.TarInfo("bin/busybox")
        entry.size, entry.mode = len(binary), 0o755
        tar.addfile(entry, io.BytesIO(binary))
        for applet in ("sh", "httpd", "cat", "sleep"):
            entry = tarfile.TarInfo(f"bin/{applet}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(entry)
    return buffer.getvalue()


async def session() -> None:
    """What an agent does, over MCP on stdio."""
    server = StdioServerParameters(command=str(BIN / "codeb-mcp"), args=[], env=environment())
    heading("Opening an MCP session over stdio, as Claude Code would")
    async with Client(stdio_client(server)) as client:
        tools = (await client.list_tools()).tools
        out.print(f"the server offers: {', '.join(tool.name for tool in tools)}")
        await demonstrate(client)


async def demonstrate(client: Client) -> None:
    """Initialise, deploy, change, deploy again under load, look, read the logs."""
    listed = await call(client, "list_projects", {})
    if "hello" not in [project["name"] for project in listed["projects"]]:
        await call(client, "init_project", {"project": "hello"})
    source = {"project": "hello", "environment": "staging", "source": str(FOLDER)}
    heading("Deploying the example")
    first = await call(client, "deploy", source)
    out.print(f"[green]the page says:[/] {escape(await page(first))}")

    heading("Changing the example and deploying it again, while requests run against it")
    index = FOLDER / "www" / "index.html"
    stamp = f"{datetime.now().astimezone():%H:%M:%S}"
    index.write_text(index.read_text().replace("Hello from codeb", f"Hello again at {stamp}"))
    answers: Counter[str] = Counter()
    async with anyio.create_task_group() as group:
        group.start_soon(visit, first, answers)
        second = await call(client, "deploy", source)
        group.cancel_scope.cancel()
    out.print(f"[green]the page says:[/] {escape(await page(second))}")
    out.print(f"requests meanwhile, by answer: {dict(answers)}")
    if set(answers) - {"200"}:
        sys.exit("a request was lost during the deploy")

    heading("Asking how it stands, and reading its log")
    await call(client, "get_status", {"project": "hello"})
    await call(client, "read_logs", {"project": "hello", "lines": 5})
    farewell(second)


async def call(client: Client, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Call a tool, and print the call, its progress and its result."""
    shown = ", ".join(f"{name}={value}" for name, value in arguments.items())
    out.print(f"\n[bold]→ {tool}[/]({escape(shown)})")

    async def show(progress: float, total: float | None = None, message: str | None = None) -> None:
        out.print(f"  [dim]({progress:.0f}/{total or 0:.0f}) {escape(message or '')}[/]")

    result = await client.call_tool(tool, arguments, progress_callback=show)
    if not isinstance(result, CallToolResult) or result.is_error:
        content = result.content if isinstance(result, CallToolResult) else ()
        texts = [each.text for each in content if isinstance(each, TextContent)]
        sys.exit(f"{tool} failed: {' '.join(texts)}")
    answer: dict[str, Any] = result.structured_content or {}
    brief = {key: value for key, value in answer.items() if key != "plan"}
    out.print(f"[bold]←[/] {escape(json.dumps(brief, indent=2, ensure_ascii=False))}")
    return answer


async def page(deployed: dict[str, Any]) -> str:
    """The heading of the page, fetched through Caddy."""
    async with httpx.AsyncClient() as client:
        answer = await client.get(*local(deployed), headers={"Host": deployed["domain"]})
        answer.raise_for_status()
        return answer.text.partition("<h1>")[2].partition("</h1>")[0]


async def visit(deployed: dict[str, Any], answers: Counter[str]) -> None:
    """Ask for the page again and again, until cancelled."""
    async with httpx.AsyncClient() as client:
        while True:
            try:
                answer = await client.get(*local(deployed), headers={"Host": deployed["domain"]})
                answers[str(answer.status_code)] += 1
            except httpx.HTTPError as error:
                answers[type(error).__name__] += 1
            await anyio.sleep(0.01)


def local(deployed: dict[str, Any]) -> tuple[str]:
    """Caddy's address; names below .localhost do not resolve in every program."""
    return (str(httpx.URL(deployed["url"]).copy_with(host="127.0.0.1")),)


def farewell(deployed: dict[str, Any]) -> None:
    """What to do next."""
    heading("It runs")
    out.print(f"open         {deployed['url']}")
    out.print(f"or           curl -H 'Host: {deployed['domain']}' {local(deployed)[0]}")
    out.print(f"Claude Code  claude mcp add codeb --env CODEB_HOME={HOME} -- {BIN / 'codeb-mcp'}")
    out.print(f"shell        CODEB_HOME={HOME} {BIN / 'codeb'} status hello")
    out.print("remove it    make demo-clean")


def clean() -> None:
    """Remove the demo's containers, images, processes and folder."""
    if not HOME.exists():
        out.print("there is nothing of the demo to remove")
        return
    codeb("local", "start")
    codeb("local", "stop", "--containers", "--yes")
    codeb("local", "start")
    for repository in ("localhost/codeb/hello", BASE_IMAGE):
        images = podman("images", "--format", "{{.Repository}}:{{.Tag}}").split()
        for image in (each for each in images if each.startswith(repository)):
            podman("rmi", image)
    codeb("local", "stop")
    shutil.rmtree(HOME)
    out.print(f"removed the demo's containers, images, processes and {HOME}")


if __name__ == "__main__":
    main()

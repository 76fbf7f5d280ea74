"""`codeb-mcp`: the MCP server, over stdio, or over HTTP with `codeb-mcp serve`."""

import argparse
import contextlib
import gc
import sys
from collections.abc import Sequence

from codeb_mcp import __version__
from codeb_mcp.errors import CodebError


def port_number(text: str) -> int:
    """A TCP port. Raises ValueError, which argparse reports, for anything else."""
    port = int(text)
    if not 1 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{port} is not a TCP port: use 1 to 65535")
    return port


def parser() -> argparse.ArgumentParser:
    """The command line. argparse, because stdio must start without the CLI's libraries."""
    top = argparse.ArgumentParser(
        prog="codeb-mcp",
        description="MCP server that deploys projects to this host. Without a command it serves "
        "one client over stdio.",
    )
    top.add_argument("--version", action="version", version=f"codeb-mcp {__version__}")
    commands = top.add_subparsers(dest="command")
    serve = commands.add_parser("serve", help="serve clients over HTTP, with a bearer token")
    serve.add_argument(
        "--transport",
        choices=("http", "sse", "stdio"),
        default="http",
        help="http is streamable HTTP at /mcp; sse is for older clients, at /sse",
    )
    serve.add_argument("--host", default="127.0.0.1", help="address to bind (%(default)s)")
    serve.add_argument(
        "--port", type=port_number, default=8765, metavar="PORT", help="port to bind (%(default)s)"
    )
    serve.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a host name by which clients reach this server, such as codeb.example.com",
    )
    return top


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command; errors leave with the exit code of their kind."""
    arguments = parser().parse_args(argv)
    # Nothing that an import makes is garbage, and looking for some takes a fifth of the start.
    gc.disable()
    # Imported here: --help and --version answer without loading the server. On stdio, what a
    # library prints as it is loaded would be taken for a message.
    with contextlib.redirect_stdout(sys.stderr):
        from codeb_mcp.server.transports import run_http, run_stdio  # noqa: PLC0415

    try:
        if arguments.command is None or arguments.transport == "stdio":
            code = run_stdio()
        else:
            code = run_http(
                arguments.transport,
                arguments.host,
                arguments.port,
                tuple(arguments.allowed_host),
            )
    except CodebError as error:
        sys.stderr.write(f"codeb-mcp: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(code)


if __name__ == "__main__":
    main()

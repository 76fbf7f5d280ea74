"""Port allocation under contention: 16 processes, 500 allocations each, one registry.

    .venv/bin/python -m benchmarks.ports

Shows that no port is handed out twice and none is lost, and the rate beside that of one process
alone.
"""

import argparse
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import anyio

from codeb_mcp.adapters.registry import SqlRegistry
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.ports import PortKind
from codeb_mcp.domain.project import EnvironmentKey, Project, ProjectConfig, ProjectType

FIRST_PORT = 20_000
KIND = PortKind.DB


def registry(path: Path) -> SqlRegistry:
    """The registry in `path`."""
    return SqlRegistry(path, lambda: datetime.now(UTC))


def make_projects(path: Path, names: Iterable[str]) -> None:
    """Register the projects that ports are allocated for."""

    async def add() -> None:
        now = datetime.now(UTC)
        for name in names:
            project = Project(
                f"proj_{name}", ProjectName(name), ProjectType.IMAGE, "", ProjectConfig(), now, now
            )
            await registry(path).add_project(project)

    anyio.run(add)


def allocate(path: Path, name: str, count: int, ports: int) -> list[int]:
    """Allocate `count` ports, each for an environment of its own."""
    candidates = range(FIRST_PORT, FIRST_PORT + ports)

    async def work() -> list[int]:
        store = registry(path)
        got = []
        for number in range(1, count + 1):
            key = EnvironmentKey(ProjectName(name), EnvironmentName(f"pr-{number}"))
            got.append((await store.allocate_port(key, KIND, candidates, lambda _: True)).port)
        return got

    return anyio.run(work)


def contend(processes: int, count: int) -> tuple[list[int], int, float]:
    """The ports that all processes got, the rows in the registry, and the seconds it took."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "registry.db"
        names = [f"project-{number}" for number in range(processes)]
        make_projects(path, names)
        begin = time.perf_counter()
        with ProcessPoolExecutor(processes) as pool:
            tasks = [pool.submit(allocate, path, name, count, processes * count) for name in names]
            ports = [port for task in tasks for port in task.result()]
        seconds = time.perf_counter() - begin
        rows = anyio.run(registry(path).ports)
        return ports, len(rows), seconds


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--processes", type=int, default=16)
    arguments.add_argument("--allocations", type=int, default=500)
    options = arguments.parse_args()
    total = options.processes * options.allocations
    alone, _, alone_seconds = contend(1, options.allocations)
    ports, rows, seconds = contend(options.processes, options.allocations)
    print(f"asked for {total}, got {len(ports)}, distinct {len(set(ports))}, rows {rows}")
    print(f"{options.processes} processes  {len(ports) / seconds:8.0f} allocations/s")
    print(f"1 process     {len(alone) / alone_seconds:8.0f} allocations/s")
    if not len(ports) == len(set(ports)) == rows == total:
        raise SystemExit("ports were lost or handed out twice")


if __name__ == "__main__":
    main()

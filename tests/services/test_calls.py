"""A call leaves a row in the audit, also when its process is killed."""

import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from codeb_mcp.adapters.registry import SqlCalls, SqlRegistry
from codeb_mcp.domain.ledger import AuditEntry
from codeb_mcp.domain.names import ProjectName
from codeb_mcp.domain.project import ProjectType
from codeb_mcp.services.auditing import audit_trail
from codeb_mcp.services.projects import NewProject, Projects
from tests.fakes.systems import InMemoryHost

START = datetime(2026, 1, 1, tzinfo=UTC)
KILLED = """
import asyncio, os, pathlib, signal, sys
from datetime import UTC, datetime
from codeb_mcp.adapters.registry import SqlCalls
from codeb_mcp.domain.ledger import AuditEntry

folder, now = pathlib.Path(sys.argv[1]), datetime(2026, 1, 1, tzinfo=UTC)
calls = SqlCalls(folder / "registry.db", folder / "calls", lambda: now)
asyncio.run(calls.begin(AuditEntry(now, "mcp:claude", "deploy", {"project": "shop"}, "")))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def host(tmp_path: Path) -> InMemoryHost:
    """One on which a deploy was killed."""
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    return InMemoryHost(tmp_path)


async def told(host: InMemoryHost) -> list[tuple[str, str, str]]:
    trail = await host.registry.audit_trail()
    return [(each.actor, each.action, each.outcome) for each in trail]


async def test_reading_the_audit_tells_of_a_call_that_was_killed(host: InMemoryHost) -> None:
    (entry,) = await audit_trail(host.systems(), 10)
    assert (entry.actor, entry.action, entry.outcome) == ("mcp:claude", "deploy", "interrupted")
    assert entry.arguments == {"project": "shop"}
    assert "it began at 2026-01-01T00:00:00" in entry.message
    assert await audit_trail(host.systems(), 10) == (entry,)


async def test_next_call_tells_of_one_that_was_killed(host: InMemoryHost) -> None:
    project = NewProject(ProjectName("shop"), ProjectType.IMAGE)
    await Projects(host.systems(), lambda: "abc").init(project, "cli:me")
    assert await told(host) == [
        ("cli:me", "init_project", "ok"),
        ("mcp:claude", "deploy", "interrupted"),
    ]


async def test_call_under_way_is_left_alone_by_others(tmp_path: Path) -> None:
    mine, other = (
        SqlCalls(tmp_path / "registry.db", tmp_path / "calls", lambda: START) for _ in range(2)
    )
    registry = SqlRegistry(tmp_path / "registry.db", lambda: START)
    entry = AuditEntry(START, "cli:me", "deploy", {}, "ok")
    number = await mine.begin(entry)
    await other.settle()
    await other.end(await other.begin(entry), entry)
    assert await registry.audit_trail() == (entry,)
    await mine.end(number, entry)
    await other.settle()
    assert await registry.audit_trail() == (entry, entry)
    assert list((tmp_path / "calls").iterdir()) == []

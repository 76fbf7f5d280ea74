"""Backup and restore of one database, beside `pg_dump | age` and `age -d | pg_restore`.

    sudo .venv/bin/python -m benchmarks.backups [MEGABYTES]

Needs Debian's `postgresql` and `age`. The rounds alternate; what is printed are medians.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import anyio
import psycopg
import pyrage

from codeb_mcp.adapters.backup_store import BackupFolder
from codeb_mcp.adapters.postgres_copies import PostgresCopies
from codeb_mcp.domain.backups import FRESH, BackupName, Recipient, database_of
from codeb_mcp.domain.databases import Access, Database, DatabaseId, Engine, Mode, Version
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey

PORT, ROUNDS = 5987, 3
KEY = EnvironmentKey(ProjectName("bench"), EnvironmentName("staging"))
DATABASE = Database(
    DatabaseId(KEY, Engine.POSTGRES),
    Mode.DEDICATED,
    Version("15"),
    PORT,
    "",
    None,
    datetime(2026, 1, 1, tzinfo=UTC),
)
ADMIN = Access(Engine.POSTGRES, "127.0.0.1", PORT, "postgres", Secret(""), DATABASE.id.name)
NAME = DATABASE.id.name
# half of it compresses well, as text does
ROWS = """CREATE TABLE rows AS SELECT n AS id, now() AS at, random() AS share,
    md5(n::text) || md5((n * 7)::text) AS noise, repeat('some words that come again ', 6) AS words
    FROM generate_series(1, {count}) n; ALTER TABLE rows ADD PRIMARY KEY (id)"""
BYTES_A_ROW = 330


def main() -> None:
    """Fill a database, then measure in turns."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as folder, _cluster(Path(folder)):
        _sql(f"CREATE ROLE {NAME} LOGIN", "postgres")
        _sql(f"CREATE DATABASE {NAME} OWNER {NAME}", "postgres")
        _sql(f"SET ROLE {NAME}; " + ROWS.format(count=megabytes * 1_000_000 // BYTES_A_ROW))
        _sql("CHECKPOINT", "postgres")
        bench = _Bench(Path(folder))
        for what, ours, plain in (
            ("backup", bench.back_up, bench.plain_back_up),
            ("restore", bench.restore, bench.plain_restore),
        ):
            times: dict[str, list[float]] = {"codeb": [], "plain": []}
            for _ in range(ROUNDS):
                times["plain"].append(_timed(plain))
                times["codeb"].append(_timed(ours))
            codeb, by_hand = (statistics.median(times[name]) for name in ("codeb", "plain"))
            print(
                f"{what} of {megabytes} MB: codeb {codeb:.1f} s, plain {by_hand:.1f} s, "
                f"{codeb / by_hand - 1:+.1%}   {times}"
            )


class _Bench:
    def __init__(self, folder: Path) -> None:
        identity = pyrage.x25519.Identity.generate()
        self._identity, self._recipient = str(identity), str(identity.to_public())
        self._key = folder / "key"
        self._key.write_text(self._identity)
        self._folder = folder
        self._connect = ("--host=127.0.0.1", f"--port={PORT}", "--username=postgres")
        inside = ("env", "PGHOST=127.0.0.1", f"PGPORT={PORT}")
        self._copies = PostgresCopies(lambda _: inside, {})
        self._store = BackupFolder(folder / "backups")
        self._name = BackupName(database_of(DATABASE.id), datetime(2026, 1, 1, tzinfo=UTC))

    def back_up(self) -> None:
        """As `codeb db backup` does, with the counting of rows."""
        anyio.run(self._back_up)

    def plain_back_up(self) -> None:
        """By hand, with a durable file at the end."""
        dump = ["pg_dump", "--format=custom", *self._connect, NAME]
        age = ["age", "--recipient", self._recipient, "--output", str(self._folder / "plain.age")]
        _piped(dump, age)
        with (self._folder / "plain.age").open("rb") as file:
            os.fsync(file.fileno())

    def restore(self) -> None:
        """As `codeb db restore` does: read to the end, restored, every table compared."""
        anyio.run(self._restore)

    def plain_restore(self) -> None:
        """By hand, into an empty database."""
        _sql("DROP DATABASE IF EXISTS plain", "postgres")
        _sql(f"CREATE DATABASE plain OWNER {NAME}", "postgres")
        age = ["age", "--decrypt", "--identity", str(self._key), str(self._folder / "plain.age")]
        restore = ["pg_restore", "--exit-on-error", "--no-owner", *self._connect, "--dbname=plain"]
        _piped(age, restore)

    async def _back_up(self) -> None:
        async with self._copies.dump(ADMIN, DATABASE) as dump:
            manifest = await self._store.write(self._name, dump.dump, [Recipient(self._recipient)])
            self._facts = await dump.facts()
        await self._store.record(manifest)

    async def _restore(self) -> None:
        identity = Secret(self._identity)
        opened = await self._store.open(self._store.path(self._name), identity)
        intake = await self._copies.fresh(ADMIN, DATABASE, FRESH)
        await self._store.pour(opened, identity, intake)
        assert await self._copies.facts(ADMIN, DATABASE, FRESH) == self._facts


@contextmanager
def _cluster(folder: Path) -> Iterator[None]:
    """A PostgreSQL of the benchmark's own."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"))
    data = folder / "data"
    folder.chmod(0o711)
    shutil.chown(folder, "postgres")
    server = ("runuser", "--user", "postgres", "--")
    initdb = [
        *server,
        str(programs / "initdb"),
        f"--pgdata={data}",
        "--auth=trust",
        "--username=postgres",
    ]
    subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL)
    options = f"-p {PORT} -k {folder} -c listen_addresses=127.0.0.1 -c max_wal_size=4GB"
    control = [
        *server,
        str(programs / "pg_ctl"),
        f"--pgdata={data}",
        "--wait",
        f"--log={folder}/log",
    ]
    subprocess.run([*control, f"--options={options}", "start"], check=True, stdout=2)
    try:
        yield
    finally:
        subprocess.run([*control, "--mode=immediate", "stop"], check=True, stdout=2)


def _sql(statement: str, database: str = NAME) -> None:
    with psycopg.connect(
        host="127.0.0.1", port=PORT, user="postgres", dbname=database, autocommit=True
    ) as connection:
        connection.execute(statement.encode())


def _piped(first: list[str], second: list[str]) -> None:
    with subprocess.Popen(first, stdout=subprocess.PIPE) as producer:
        subprocess.run(second, stdin=producer.stdout, check=True)
    assert producer.returncode == 0


def _timed(work: Callable[[], None]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


if __name__ == "__main__":
    main()

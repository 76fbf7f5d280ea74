"""Real PostgreSQL, backed up and brought back by codeb on a real server."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.backups import key_pair
from tests.system.lab.databases import database_images
from tests.system.sites import LabSite

PROJECT, DATABASE = "ledger", "ledger_staging"
CONTAINER = "codeb-ledger-staging-db-postgres"
TABLES = """
CREATE SCHEMA books;
CREATE TYPE books.mood AS ENUM ('calm', 'busy');
CREATE TABLE books.entries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mood books.mood NOT NULL DEFAULT 'calm',
    amount numeric(12, 2), share double precision, note text, raw bytea, tags text[], more jsonb,
    at timestamptz NOT NULL DEFAULT now(), CHECK (amount >= 0));
CREATE INDEX ON books.entries USING gin (tags);
CREATE TABLE public.parts (id int, day date) PARTITION BY RANGE (day);
CREATE TABLE public.parts_old PARTITION OF public.parts
    FOR VALUES FROM ('2000-01-01') TO ('2020-01-01');
CREATE TABLE public.empty ("a column; DROP" text);
CREATE VIEW books.sums AS SELECT mood, sum(amount) FROM books.entries GROUP BY mood;
CREATE FUNCTION books.twice(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 2';
INSERT INTO books.entries (amount, share, note, raw, tags, more)
SELECT n, random(), chr(8364) || E'\\n\\t' || n, decode(md5(n::text), 'hex'),
       ARRAY[n::text, NULL], jsonb_build_object('n', n) FROM generate_series(1, 2000) n;
INSERT INTO public.parts SELECT n, '2010-01-01'::date + n FROM generate_series(1, 500) n;
"""


@dataclass(frozen=True)
class Ledger:
    """A project with a filled database, on a server that may make backups."""

    site: LabSite
    key: str

    def sql(self, statement: str, database: str = DATABASE) -> str:
        argv = ("psql", "--username=postgres", "--no-psqlrc", "--tuples-only", "--no-align")
        options = ("--set=ON_ERROR_STOP=1", f"--dbname={database}", "--file=-")
        inside = ("exec", "--interactive", CONTAINER, *argv, *options)
        return self.site.podman(*inside, stdin=f"SET ROLE {DATABASE};{statement}".encode())

    def dump(self, database: str = DATABASE) -> list[str]:
        """All of it, as SQL, without what differs between two dumps of the same."""
        argv = ("exec", CONTAINER, "pg_dump", "--username=postgres", "--no-owner", database)
        lines = self.site.podman(*argv).splitlines()
        return [line for line in lines if not line.startswith(("\\restrict", "\\unrestrict"))]

    def backup(self) -> str:
        view = json.loads(self.site.codeb("db", "backup", PROJECT, "--json"))
        assert view["good"]
        return str(view["name"])

    def restore(self, *argv: str) -> None:
        self.site.codeb("db", "restore", PROJECT, *argv, "--identity", self.key, "--yes")

    def databases(self) -> list[str]:
        return self.sql("SELECT datname FROM pg_database ORDER BY 1", "postgres").split()[1:]

    def file(self, name: str) -> Path:
        return self.site.server.path_inside(f"{self.site.home}/backups/{name}")


@pytest.fixture(scope="module")
def ledger(lab_site: LabSite) -> Ledger:
    database_images(lab_site.podman)
    identity, recipient = key_pair()
    config, owner = f"{lab_site.home}/config.toml", lab_site.user.name
    text = lab_site.server.path_inside(config).read_text()
    text += f'backup_recipients = ["{recipient}"]\nfree_disk_mb = 100\n'
    lab_site.server.write(config, text, mode=0o600, owner=owner)
    key = f"{lab_site.user.home}/backup.key"
    lab_site.server.write(key, f"# a key\n{identity.reveal()}\n", mode=0o600, owner=owner)
    lab_site.codeb("init", PROJECT)
    lab_site.codeb("db", "create", PROJECT)
    made = Ledger(lab_site, key)
    made.sql(TABLES)
    return made


def test_ten_times_restored_the_sql_is_the_same_to_the_byte(ledger: Ledger) -> None:
    for round_ in range(10):
        before = ledger.dump()
        name = ledger.backup()
        ledger.sql(f"TRUNCATE books.entries; DROP TABLE public.empty; CREATE TABLE t{round_} ()")
        assert ledger.dump() != before
        ledger.restore(name)
        assert ledger.dump() == before
        ledger.site.codeb("db", "confirm", PROJECT, "--yes")
        ledger.sql("INSERT INTO books.entries (amount) SELECT count(*) FROM books.entries")
    assert [name for name in ledger.databases() if name.startswith(DATABASE)] == [DATABASE]


def test_an_undone_restore_leaves_the_data_of_before(ledger: Ledger) -> None:
    name = ledger.backup()
    ledger.sql("INSERT INTO books.entries (amount, note) VALUES (1, 'after the backup')")
    before = ledger.dump()
    ledger.restore(name)
    assert ledger.dump() != before
    ledger.site.codeb("db", "confirm", PROJECT, "--undo", "--yes")
    assert ledger.dump() == before


@pytest.mark.parametrize(
    "harm", [lambda data: data[:-1], lambda data: data[:-9] + b"\0" + data[-8:], lambda _: b""]
)
def test_a_damaged_backup_is_refused_and_the_database_untouched(
    ledger: Ledger, harm: Callable[[bytes], bytes]
) -> None:
    name, before = ledger.backup(), ledger.dump()
    ledger.file(name).write_bytes(harm(ledger.file(name).read_bytes()))
    options = ("--identity", ledger.key, "--yes", "--json")
    ended = ledger.site.try_codeb("db", "restore", PROJECT, name, *options)
    assert ended.code == 7, ended
    assert json.loads(ended.out)["error"]["code"] in ("backup_damaged", "wrong_key")
    assert ledger.dump() == before
    assert [each for each in ledger.databases() if each.startswith(DATABASE)] == [DATABASE]
    ledger.file(name).unlink()


def test_a_backup_that_is_tried_out_is_found_equal(ledger: Ledger) -> None:
    name = ledger.backup()
    ledger.site.codeb("backup", "verify", name, "--identity", ledger.key)
    listed = json.loads(ledger.site.codeb("db", "backups", PROJECT, "--json"))["backups"]
    assert [each["verified"] for each in listed if each["name"] == name] == [True]


def test_the_standard_tools_restore_it_without_codeb(ledger: Ledger, tmp_path: Path) -> None:
    name, before = ledger.backup(), ledger.dump()
    key = tmp_path / "key"
    key.write_bytes(ledger.site.server.path_inside(ledger.key).read_bytes())
    argv = ["age", "--decrypt", "--identity", str(key), str(ledger.file(name))]
    plain = subprocess.run(argv, capture_output=True, check=True).stdout
    ledger.site.podman("exec", CONTAINER, "createdb", "--username=postgres", "by_hand")
    restore = ("pg_restore", "--username=postgres", "--exit-on-error", "--dbname=by_hand")
    ledger.site.podman("exec", "--interactive", CONTAINER, *restore, stdin=plain)
    assert ledger.dump("by_hand") == before
    ledger.site.podman("exec", CONTAINER, "dropdb", "--username=postgres", "by_hand")


def test_no_backup_holds_or_is_named_by_a_password(ledger: Ledger) -> None:
    secrets = [
        path.read_text().strip().rpartition("=")[2]
        for pattern in ("env/ledger-*.env", "databases/*ledger*")
        for path in ledger.site.server.path_inside(ledger.site.home).glob(pattern)
    ]
    assert len(secrets) >= 2
    ledger.site.codeb("backup", "run", PROJECT)
    for path in ledger.file("x").parent.iterdir():
        for secret in secrets:
            assert secret not in path.name
            assert secret.encode() not in path.read_bytes()


def test_backups_are_made_by_a_timer(ledger: Ledger) -> None:
    site, user = ledger.site, ledger.site.user.name
    site.codeb("backup", "schedule", "*-*-* 02:00")
    before = json.loads(site.codeb("backup", "list", "--json"))
    assert before["coming"]
    site.server.run_as(user, ["systemctl", "--user", "start", "codeb-backup.service"])
    after = json.loads(site.codeb("backup", "list", "--json"))
    assert {each["kind"] for each in after["backups"]} >= {"state", "postgres"}
    assert len(after["backups"]) > len(before["backups"])
    site.codeb("backup", "schedule", "--off")
    assert json.loads(site.codeb("backup", "list", "--json"))["coming"] == ""

"""Real PostgreSQL and Redis, made by codeb on a real server and reached as projects reach them."""

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.system.lab.databases import database_images
from tests.system.sites import LabSite, Site

FOUR = ("iso-a", "iso-b", "iso-c", "iso-d")
VARIABLES = {"postgres": "DATABASE_URL", "redis": "REDIS_URL"}

# Run beside the servers, with the application's own logins: what each gets of the others.
TRESPASS = """
import itertools, json, sys
import psycopg, redis
urls = json.load(sys.stdin)
got = []

def at(url):
    login, rest = url.split("://")[1].split("@")
    user, password = login.split(":")
    return user, password

def postgres(user, password, name):
    return psycopg.connect(host="127.0.0.1", port=5432, user=user, password=password,
                           dbname=name, connect_timeout=5, autocommit=True)

def cache(user, password):
    return redis.Redis("127.0.0.1", 6379, username=user, password=password, socket_timeout=5)

for each in urls.values():
    user, password = at(each["postgres"])
    with postgres(user, password, user) as own:
        own.execute("CREATE TABLE secret (text text)")
        own.execute("INSERT INTO secret VALUES (%s)", [f"of {user}"])
    user, password = at(each["redis"])
    cache(user, password).set(f"{user}:secret", f"of {user}")
    assert cache(user, password).get(f"{user}:secret") == f"of {user}".encode()

tries = 0
def denied(what, work, errors):
    global tries
    tries += 1
    try:
        got.append([what, repr(work())])
    except errors:
        pass

for mine, other in itertools.permutations(urls, 2):
    (user, password), (victim, _) = at(urls[mine]["postgres"]), at(urls[other]["postgres"])
    pg = (psycopg.Error,)
    for name in (victim, "postgres", "template1"):
        denied(f"{user} connects to {name}", lambda: postgres(user, password, name), pg)
    denied(f"{user} signs in as {victim}", lambda: postgres(victim, password, victim), pg)
    with postgres(user, password, user) as own:
        for sql in (f"SET ROLE {victim}", f"ALTER ROLE {victim} PASSWORD 'x'",
                    f"DROP DATABASE {victim}", f"ALTER DATABASE {victim} OWNER TO {user}",
                    f"GRANT {victim} TO {user}", f"CREATE DATABASE of_{user}",
                    "SELECT pg_read_file('/etc/passwd')", "COPY (SELECT 1) TO PROGRAM 'id'",
                    "SELECT rolpassword FROM pg_authid", "CREATE EXTENSION dblink"):
            denied(f"{user}: {sql}", lambda: own.execute(sql).rowcount, pg)
    (user, password), (victim, _) = at(urls[mine]["redis"]), at(urls[other]["redis"])
    client, no = cache(user, password), (redis.RedisError,)
    for words in (["GET", f"{victim}:secret"], ["SET", f"{victim}:secret", "x"],
                  ["DEL", f"{victim}:secret"], ["KEYS", "*"], ["SCAN", "0"], ["RANDOMKEY"],
                  ["DBSIZE"], ["FLUSHALL"], ["FLUSHDB"], ["CONFIG", "GET", "*"], ["MONITOR"],
                  ["ACL", "LIST"], ["ACL", "SETUSER", user, "~*"], ["CLIENT", "LIST"],
                  ["CLIENT", "KILL", "USER", victim], ["INFO"], ["SHUTDOWN"], ["SAVE"],
                  ["DEBUG", "SLEEP", "0"], ["SWAPDB", "0", "1"], ["PUBSUB", "CHANNELS"],
                  ["PUBLISH", f"{victim}:news", "x"], ["SUBSCRIBE", f"{victim}:news"],
                  ["PSUBSCRIBE", "*"], ["FUNCTION", "LIST"], ["SCRIPT", "FLUSH"],
                  ["CLIENT", "TRACKING", "ON", "BCAST"], ["REPLICAOF", "127.0.0.1", "1"],
                  ["COPY", f"{victim}:secret", f"{user}:stolen"],
                  ["RENAME", f"{victim}:secret", f"{user}:stolen"],
                  ["MIGRATE", "127.0.0.1", "6379", f"{victim}:secret", "0", "100"],
                  ["SORT", f"{user}:list", "BY", "nosort", "GET", f"{victim}:*"],
                  ["EVAL", "return redis.call('GET', KEYS[1])", "1", f"{victim}:secret"],
                  ["EVAL", f"return redis.call('GET', '{victim}:secret')", "0"],
                  ["SUNIONSTORE", f"{user}:stolen", f"{victim}:secret"],
                  ["OBJECT", "ENCODING", f"{victim}:secret"], ["DUMP", f"{victim}:secret"]):
        denied(f"{user}: {words}", lambda: client.execute_command(*words), no)
    assert at(urls[mine]["redis"])[1] != at(urls[other]["redis"])[1]
json.dump({"got": got, "tries": tries}, sys.stdout)
"""

# What every process shows to others, as often as can be looked, until standard input ends.
WATCH = """
import os, select, sys
seen = set()
while not select.select([sys.stdin], [], [], 0.005)[0]:
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for name in ("cmdline", "environ"):
            try:
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    seen.add(file.read())
            except OSError:
                pass
sys.stdout.buffer.write(b"\\n".join(seen))
"""


def python(site: Site, code: str, stdin: bytes) -> str:
    """Run Python with codeb's own libraries where the servers are."""
    if isinstance(site, LabSite):
        argv = [site.product.python, "-c", code]
        return site.server.run_as(site.user.name, argv, input=stdin, timeout=300).stdout
    ended = subprocess.run(
        [sys.executable, "-c", code], input=stdin, capture_output=True, check=False
    )
    assert ended.returncode == 0, ended.stderr.decode()
    return ended.stdout.decode()


def files_below(site: Site, folder: str) -> dict[str, bytes]:
    """Every file there, by its path."""
    root = Path(folder)
    if isinstance(site, LabSite):
        root = site.server.path_inside(folder)
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def url_of(site: Site, project: str, engine: str, environment: str = "staging") -> str:
    """The URL in the environment's variables."""
    text = files_below(site, f"{site.home}/env")  # type: ignore[attr-defined]  # both sites have one
    found = next(v for k, v in text.items() if k.endswith(f"{project}-{environment}.env"))
    lines = dict(line.split("=", 1) for line in found.decode().splitlines())
    return lines[VARIABLES[engine]]


def create(site: Site, project: str, engine: str, *more: str) -> dict[str, Any]:
    """`codeb db create`."""
    made = site.codeb("db", "create", project, "--type", engine, *more, "--json")
    found: dict[str, Any] = json.loads(made)
    return found


@pytest.fixture(scope="module")
def prepared() -> set[str]:
    """The sites that have the images already."""
    return set()


@pytest.fixture
def host(site: Site, prepared: set[str]) -> Site:
    """Either site, with the images of both engines."""
    if site.name not in prepared:
        database_images(site.podman)
        prepared.add(site.name)
    return site


@pytest.fixture
def sharing(lab_site: LabSite, prepared: set[str]) -> LabSite:
    """The server with units under systemd: only such a one has shared databases."""
    if lab_site.name not in prepared:
        database_images(lab_site.podman)
        prepared.add(lab_site.name)
    return lab_site


@pytest.mark.parametrize("engine", ["postgres", "redis"])
def test_dedicated_database_is_confined_kept_and_made_once(host: Site, engine: str) -> None:
    project = f"own-{engine}"
    host.codeb("init", project)
    made = create(host, project, engine)
    again = create(host, project, engine)
    assert (made["changed"], made["status"]) == (True, "running")
    assert (again["changed"], again["port"]) == (False, made["port"])
    (seen,) = json.loads(host.podman("inspect", f"codeb-{project}-staging-db-{engine}"))
    assert seen["Config"]["User"] == engine
    assert not seen["EffectiveCaps"]
    assert not seen["BoundingCaps"]
    assert "no-new-privileges" in seen["HostConfig"]["SecurityOpt"]
    (published,) = [each for bound in seen["HostConfig"]["PortBindings"].values() for each in bound]
    assert (published["HostIp"], int(published["HostPort"])) == ("127.0.0.1", made["port"])


def test_no_project_gets_anything_of_another(sharing: LabSite) -> None:
    urls: dict[str, dict[str, str]] = {}
    for project in FOUR:
        sharing.codeb("init", project)
        for engine in VARIABLES:
            create(sharing, project, engine, "--shared")
        urls[project] = {engine: url_of(sharing, project, engine) for engine in VARIABLES}
    tried = json.loads(python(sharing, TRESPASS, json.dumps(urls).encode()))
    assert tried["got"] == []
    assert tried["tries"] == len(list(itertools.permutations(FOUR, 2))) * (14 + 37)


@pytest.mark.parametrize("mode", ["--shared", "--dedicated"])
async def test_application_reaches_its_databases_from_its_container(host: Site, mode: str) -> None:
    project = f"dbapp{mode}".replace("--", "-")
    host.codeb("init", project)
    if mode == "--shared" and host.name == "podman":
        refused = host.try_codeb("db", "create", project, "--type", "redis", "--shared")
        assert (refused.code, "ask for a dedicated one" in refused.err) == (3, True)
        return
    create(host, project, "redis", mode)
    create(host, project, "postgres", mode)
    image = host.image(f"{project}:v1")
    host.codeb("deploy", project, "--image", image)
    answer = await host.get(f"staging.{project}.{host.base_domain}", "/cgi-bin/redis")
    assert answer.text.splitlines() == ["+OK", "+OK", "$12", "from-the-app"]
    network = (
        "run",
        "--rm",
        f"--network=codeb-{project}",
        "localhost/postgres:17",
        "psql",
        "--tuples-only",
    )
    said = host.podman(*network, url_of(host, project, "postgres"), "--command=SELECT 6*7")
    assert said.strip() == "42"


def test_no_password_shows_anywhere(host: Site) -> None:
    host.codeb("init", "canary")
    watch = [sys.executable, "-c", WATCH]
    if isinstance(host, LabSite):
        watch = host.server.command_as("root", ["python3", "-c", WATCH])
    watcher = subprocess.Popen(watch, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    said = []
    for engine in VARIABLES:
        shared = "--shared" if isinstance(host, LabSite) else "--dedicated"
        for environment, mode in (("staging", "--dedicated"), ("production", shared)):
            said.append(json.dumps(create(host, "canary", engine, mode, "--env", environment)))
    said += [host.codeb("db", *words) for words in (["status"], ["list", "--json"])]
    said.append(host.try_codeb("db", "url", "canary", "--show").out)
    said += [host.codeb("registry", "audit", "--json"), host.codeb("env", "list", "canary")]
    shown, _ = watcher.communicate()
    passwords = {
        url_of(host, "canary", engine, environment).partition("@")[0].rpartition(":")[2]
        for engine in VARIABLES
        for environment in ("staging", "production")
    }
    home = str(host.home)  # type: ignore[attr-defined]  # both sites have one
    files = files_below(host, home)
    passwords |= {text.decode() for path, text in files.items() if path.endswith(".password")}
    assert len(passwords) >= 8
    containers = [
        each for each in host.podman("ps", "--format={{.Names}}").split() if "canary" in each
    ]
    said += [host.podman("inspect", *containers), host.podman("secret", "ls")]
    haystacks = {"processes": shown, "results": "\n".join(said).encode()}
    haystacks |= {
        path: text
        for path, text in files.items()
        if not path.endswith((".password", ".env")) and f"{home}/env/" not in path
    }
    if isinstance(host, LabSite):
        haystacks |= files_below(host, f"{host.user.home}/.config/containers/systemd")
    found = {
        where
        for password in passwords
        for where, text in haystacks.items()
        if password.encode() in text
    }
    assert found == set()
    assert b"codeb-canary-staging-db-postgres" in shown, "nothing was watched"


def test_removal_leaves_nothing_behind(host: Site) -> None:
    host.codeb("init", "dbgone")
    before = host.podman("volume", "ls", "--quiet"), host.podman("secret", "ls", "--quiet")
    for engine in VARIABLES:
        create(host, "dbgone", engine)
        host.codeb("db", "remove", "dbgone", "--type", engine, "--yes")
    after = host.podman("volume", "ls", "--quiet"), host.podman("secret", "ls", "--quiet")
    assert (sorted(after[0].split()), sorted(after[1].split())) == (
        sorted(before[0].split()),
        sorted(before[1].split()),
    )
    left = host.snapshot()
    names = [*left.containers, *left.units, *left.ports]
    assert not [name for name in names if "dbgone" in name]


def test_preview_gets_a_database_and_loses_it(sharing: LabSite) -> None:
    sharing.codeb("init", "dbprev")
    sharing.codeb("db", "create", "dbprev", "--env", "preview", "--type", "redis", "--shared")
    image = sharing.image("dbprev:v1")
    sharing.codeb("deploy", "dbprev", "--env", "pr-3", "--image", image)
    assert url_of(sharing, "dbprev", "redis", "pr-3").startswith("redis://dbprev_pr_3:")
    sharing.codeb("preview", "remove", "dbprev", "pr-3", "--yes")
    assert json.loads(sharing.codeb("db", "list", "dbprev", "--json"))["databases"] == []
    networks = sharing.podman(
        "inspect", "--format={{.NetworkSettings.Networks}}", "codeb-shared-redis"
    )
    assert "codeb-dbprev" not in networks


def test_databases_are_there_after_a_reboot(lab_site: LabSite, prepared: set[str]) -> None:
    if lab_site.name not in prepared:
        database_images(lab_site.podman)
    lab_site.codeb("init", "again")
    for engine in VARIABLES:
        create(lab_site, "again", engine)
        create(lab_site, "again", engine, "--shared", "--env", "production")
    url = url_of(lab_site, "again", "postgres")
    inside = (
        "exec",
        "codeb-again-staging-db-postgres",
        "psql",
        "--tuples-only",
        url.replace("postgres-staging", "127.0.0.1"),
    )
    lab_site.podman(*inside, "--command=CREATE TABLE kept AS SELECT 42 AS answer")
    lab_site.server.reboot()
    for engine in VARIABLES:
        for more in ((), ("--env", "production")):
            found = create(lab_site, "again", engine, *more)
            assert (found["changed"], found["status"]) == (False, "running")
    assert lab_site.podman(*inside, "--command=SELECT answer FROM kept").strip() == "42"

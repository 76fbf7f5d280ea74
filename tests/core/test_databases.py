"""Names of databases, and how they are reached."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeb_mcp.domain.confinement import VolumeName
from codeb_mcp.domain.databases import (
    Database,
    DatabaseId,
    Engine,
    Mode,
    Server,
    Version,
    admin_access,
    application_access,
)
from codeb_mcp.domain.masking import Secret, mask
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.ports import SHARED_PORTS, candidates
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.errors import InvalidRequest

LONGEST = EnvironmentKey(ProjectName("a" * 40), EnvironmentName("pr-1234567"))
keys = st.builds(
    EnvironmentKey,
    st.from_regex(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True).map(ProjectName),
    st.sampled_from(["production", "staging", "pr-1", "pr-12"]).map(EnvironmentName),
)


def database(
    engine: Engine, mode: Mode, *, port: int = 5433, key: EnvironmentKey | None = None
) -> Database:
    key = key or EnvironmentKey(ProjectName("my-shop"), EnvironmentName("staging"))
    return Database(
        DatabaseId(key, engine),
        mode,
        Version.of(engine, None),
        port,
        image="",
        memory=None,
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("engine", "mode", "url"),
    [
        (
            Engine.POSTGRES,
            Mode.DEDICATED,
            "postgresql://my_shop_staging:pw@postgres-staging:5432/my_shop_staging",
        ),
        (
            Engine.POSTGRES,
            Mode.SHARED,
            "postgresql://my_shop_staging:pw@postgres-shared:5432/my_shop_staging",
        ),
        (Engine.REDIS, Mode.DEDICATED, "redis://my_shop_staging:pw@redis-staging:6379/0"),
        (Engine.REDIS, Mode.SHARED, "redis://my_shop_staging:pw@redis-shared:6379/0"),
    ],
)
def test_applications_reach_a_database_by_its_name_in_their_network(
    engine: Engine, mode: Mode, url: str
) -> None:
    assert application_access(database(engine, mode), Secret("pw")).url.reveal() == url


def test_codeb_reaches_a_database_on_loopback_as_administrator() -> None:
    access = admin_access(database(Engine.POSTGRES, Mode.DEDICATED), Secret("pw"))
    assert access.url.reveal() == "postgresql://postgres:pw@127.0.0.1:5433/my_shop_staging"


def test_a_url_does_not_print_itself_and_is_masked_in_text() -> None:
    access = admin_access(database(Engine.POSTGRES, Mode.DEDICATED), Secret("long-password"))
    assert "long-password" not in f"{access} {access!r} {access.url}"
    assert "long-password" not in mask(access.url.reveal())


@given(keys, keys)
def test_no_two_databases_share_a_name(one: EnvironmentKey, other: EnvironmentKey) -> None:
    for engine in Engine:
        names = [DatabaseId(key, engine).name for key in (one, other)]
        prefixes = [DatabaseId(key, engine).key_prefix for key in (one, other)]
        assert (names[0] == names[1]) is (one == other)
        assert (one == other) is prefixes[0].startswith(prefixes[1])


def test_names_fit_where_they_are_used() -> None:
    for engine in Engine:
        server = Server(engine, LONGEST)
        assert len(DatabaseId(LONGEST, engine).name) <= 63
        assert len(server.host) <= 63
        assert len(f"{server.name}.container") <= 255


def test_a_servers_volume_can_be_no_environments_own() -> None:
    key = EnvironmentKey(ProjectName("shop"), EnvironmentName("staging"))
    for engine in Engine:
        for server in (Server(engine, key), Server(engine)):
            with pytest.raises(InvalidRequest):
                VolumeName(server.name.removeprefix(key.volume("")))


def test_each_engine_has_ports_of_its_own_beside_the_shared_servers() -> None:
    for engine in Engine:
        assert engine.port in SHARED_PORTS
        assert engine.port not in candidates(engine.port_kind, LONGEST.environment.kind)


@pytest.mark.parametrize("text", ["9", "17.2", "", "latest", "17\n", "-17"])
def test_an_unknown_version_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Version.of(Engine.POSTGRES, text)
    assert caught.value.code == "unknown_version"
    assert "15, 16, 17" in caught.value.hint


@pytest.mark.parametrize("text", ["mysql", "Postgres", "", "redis\n"])
def test_an_unknown_type_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Engine.parse(text)
    assert caught.value.hint == "use one of: postgres, redis"


@pytest.mark.parametrize(
    ("mode", "pattern"), [(Mode.DEDICATED, "*"), (Mode.SHARED, "my_shop_staging:*")]
)
def test_keys_of_a_shared_redis_begin_with_their_owner(mode: Mode, pattern: str) -> None:
    assert database(Engine.REDIS, mode).key_pattern == pattern

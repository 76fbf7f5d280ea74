"""The port map."""

from codeb_mcp.domain.names import EnvironmentKind
from codeb_mcp.domain.ports import SHARED_PORTS, SYSTEM_PORTS, PortKind, candidates, occupied_by


def test_no_port_is_a_candidate_twice_and_none_belongs_to_the_system() -> None:
    apps = [
        port
        for environment in EnvironmentKind
        for each in candidates(PortKind.APP, environment)
        for port in occupied_by(PortKind.APP, each)
    ]
    others = [*candidates(PortKind.DB, EnvironmentKind.STAGING)]
    others += candidates(PortKind.REDIS, EnvironmentKind.STAGING)
    every = apps + others
    assert len(every) == len(set(every))
    assert not set(every) & {*SYSTEM_PORTS, *SHARED_PORTS}


def test_ranges_are_those_of_the_map() -> None:
    def ends(kind: PortKind, environment: EnvironmentKind) -> tuple[int, int, int]:
        ports = candidates(kind, environment)
        return ports[0], ports[-1], len(ports)

    assert ends(PortKind.APP, EnvironmentKind.PRODUCTION) == (3000, 3099, 99)
    assert ends(PortKind.APP, EnvironmentKind.STAGING) == (3100, 3199, 100)
    assert ends(PortKind.APP, EnvironmentKind.PREVIEW) == (3200, 3299, 100)
    assert ends(PortKind.DB, EnvironmentKind.PREVIEW) == (5433, 5531, 99)
    assert ends(PortKind.REDIS, EnvironmentKind.PRODUCTION) == (6380, 6478, 99)

"""Limits, capabilities, volumes and settings, parsed at the edge."""

from dataclasses import replace

import pytest

from codeb_mcp.domain.confinement import (
    Capability,
    Confinement,
    MountPath,
    Volume,
    memory_text,
    parse_capabilities,
    parse_cpus,
    parse_memory,
    parse_pids,
)
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey, ProjectConfig
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.planning.configuration import KEYS, changed_config, parse_settings, settings_of
from codeb_mcp.planning.confined import create_options, unit_lines
from codeb_mcp.planning.hints import missing_capability

KEY = EnvironmentKey(ProjectName("shop"), EnvironmentName("staging"))
ALL = Confinement(
    memory=512 * 1024**2,
    cpus=0.5,
    pids=256,
    capabilities=parse_capabilities(["SETUID", "cap_chown"]),
    read_only=True,
    volumes=(Volume.parse("data:/var/lib/data"),),
)


@pytest.mark.parametrize(
    ("text", "size"), [("512m", 512 * 1024**2), ("1G", 1024**3), ("10000k", 10000 * 1024)]
)
def test_memory_is_read_in_units(text: str, size: int) -> None:
    assert parse_memory(text) == size
    assert parse_memory(memory_text(size)) == size


@pytest.mark.parametrize("text", ["", "0", "1m", "-1m", "512mb", "1.5g", "m", "9" * 30 + "g"])
def test_memory_that_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="memory limit"):
        parse_memory(text)


@pytest.mark.parametrize("text", ["0", "0.001", "-1", "1e3", "nan", "many", ""])
def test_cpus_that_are_no_limit_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="CPU limit"):
        parse_cpus(text)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "\u0663", ""])
def test_pids_that_are_no_limit_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="limit of processes"):
        parse_pids(text)


@pytest.mark.parametrize("name", ["SYS_ADMIN", "ALL", "all", "SYS_PTRACE", "NET_ADMIN", ""])
def test_capability_that_reaches_the_host_cannot_be_asked_for(name: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot be asked for"):
        Capability(name)


@pytest.mark.parametrize(
    "path", ["/", "data", "/a/../etc", "/proc", "/sys/fs", "/dev/shm", "/a//b", "/a:ro", "/a b"]
)
def test_path_that_no_volume_belongs_at_is_refused(path: str) -> None:
    with pytest.raises(InvalidRequest):
        MountPath(path)


@pytest.mark.parametrize("volumes", [("a:/x", "a:/y"), ("a:/x", "b:/x")])
def test_volumes_share_neither_name_nor_path(volumes: tuple[str, ...]) -> None:
    with pytest.raises(InvalidRequest, match="two volumes"):
        Confinement(volumes=tuple(map(Volume.parse, volumes)))


def test_volume_names_of_two_environments_never_meet() -> None:
    other = EnvironmentKey(ProjectName("shop-staging"), EnvironmentName("production"))
    with pytest.raises(InvalidRequest, match="volume name"):
        Volume.parse("production-data:/data")
    assert other.volume("data") == "codeb-shop-staging-production-data"


def test_confinement_survives_its_document() -> None:
    assert Confinement.of_document(ALL.document()) == ALL
    assert Confinement().document() == {}
    with pytest.raises(InvalidRequest):
        Confinement.of_document({"privileged": True})


def test_unit_and_api_ask_for_the_same() -> None:
    lines = list(unit_lines(KEY, ALL, "codeb-shop"))
    assert lines == [
        "NoNewPrivileges=true",
        "DropCapability=all",
        "AddCapability=CHOWN",
        "AddCapability=SETUID",
        "ReadOnly=true",
        "Network=codeb-shop",
        "Volume=codeb-shop-staging-data:/var/lib/data",
        "PidsLimit=256",
        "PodmanArgs=--memory=536870912",
        "PodmanArgs=--cpus=0.5",
    ]
    options = create_options(KEY, ALL, "codeb-shop")
    assert (options["cap_drop"], options["cap_add"]) == (["all"], ["CHOWN", "SETUID"])
    assert (options["mem_limit"], options["pids_limit"]) == (536870912, 256)
    assert options["cpu_quota"] / options["cpu_period"] == 0.5


def test_nothing_asked_for_is_still_confined() -> None:
    lines = list(unit_lines(KEY, Confinement(), "codeb-shop"))
    assert lines == ["NoNewPrivileges=true", "DropCapability=all", "Network=codeb-shop"]


def test_settings_are_read_as_they_are_shown() -> None:
    config = replace(ProjectConfig(port=3000), confinement=ALL)
    shown = settings_of(config)
    texts = [f"{name}={value}" for name, value in shown.items()]
    assert changed_config(ProjectConfig(), parse_settings(texts)) == config


def test_empty_value_takes_a_setting_away() -> None:
    config = replace(ProjectConfig(port=3000), confinement=ALL)
    emptied = changed_config(config, parse_settings(f"{name}=" for name in KEYS))
    assert emptied == ProjectConfig()


@pytest.mark.parametrize("text", ["memory", "swap=1g", "=1", "read_only=perhaps", "port=0"])
def test_setting_that_there_is_none_of_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        changed_config(ProjectConfig(), parse_settings([text]))


@pytest.mark.parametrize(
    ("line", "caps"),
    [
        ('[emerg] chown("/var/cache/nginx", 101) failed (1: Operation not permitted)', "CHOWN"),
        ("setgid(101) failed (1: Operation not permitted)", "SETGID"),
        ("bind() to 0.0.0.0:80 failed (13: Permission denied)", "NET_BIND_SERVICE"),
        ("Error: listen EACCES: permission denied 0.0.0.0:80", "NET_BIND_SERVICE"),
    ],
)
def test_log_of_a_missing_capability_is_explained(line: str, caps: str) -> None:
    hint = missing_capability(KEY.project, ["starting", line])
    assert "codeb config set shop caps=" in hint
    assert caps in hint


@pytest.mark.parametrize("line", ["connection refused", "user is not permitted to see this page"])
def test_other_logs_are_not(line: str) -> None:
    assert missing_capability(KEY.project, [line]) == ""

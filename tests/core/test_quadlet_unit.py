"""Quadlet units: what is written, and that no value can become a directive."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeb_mcp.domain.confinement import (
    Capability,
    Confinement,
    MountPath,
    Volume,
    VolumeName,
)
from codeb_mcp.domain.host import ContainerSpec
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey, Slot
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.planning.quadlet import container_unit, quoted

SPEC = ContainerSpec(
    key=EnvironmentKey(ProjectName("shop"), EnvironmentName("production")),
    slot=Slot.BLUE,
    release=7,
    image="localhost/codeb/shop/production:r7",
    image_id="a" * 64,
    host_port=3000,
    container_port=8080,
    env=(("PORT", "8080"), ("GREETING", 'say "hi" for 100% of $HOME \\o/')),
    env_file="/srv/env/shop-production.env",
    command=("serve", "--all things"),
    log_path="/srv/logs/shop-production/r7.log",
)


def test_unit_publishes_on_loopback_only_and_never_pulls() -> None:
    lines = container_unit(SPEC).splitlines()
    assert "PublishPort=127.0.0.1:3000:8080" in lines
    assert "Pull=never" in lines
    assert "NoNewPrivileges=true" in lines
    assert "EnvironmentFile=/srv/env/shop-production.env" in lines
    assert 'Exec="serve" "--all things"' in lines


def test_every_key_is_one_that_the_oldest_quadlet_knows() -> None:
    # podman-systemd.unit(5) of Podman 4.9, which Ubuntu 24.04 has; one unknown key and it makes
    # no service at all
    known = {
        *("AddCapability", "ContainerName", "DropCapability", "Environment", "EnvironmentFile"),
        *("Exec", "Image", "Label", "LogDriver", "Network", "NoNewPrivileges", "PidsLimit"),
        *("PodmanArgs", "PublishPort", "Pull", "ReadOnly", "Volume"),
    }
    confined = Confinement(
        volumes=(Volume(VolumeName("data"), MountPath("/data")),),
        memory=64 * 1024**2,
        cpus=0.5,
        pids=64,
        capabilities=(Capability("CHOWN"),),
        read_only=True,
    )
    unit = container_unit(replace(SPEC, confinement=confined, network="codeb-shop"))
    section = unit.split("[Container]\n")[1].split("\n[")[0]
    assert {line.split("=")[0] for line in section.split("\n") if line} == known


def test_percent_dollar_quote_and_backslash_are_escaped() -> None:
    unit = container_unit(SPEC)
    assert '"GREETING=say \\"hi\\" for 100%% of $$HOME \\\\o/"' in unit


@given(st.text())
def test_no_value_makes_a_line_of_its_own(value: str) -> None:
    spec = replace(SPEC, env=(("A", value),))
    try:
        unit = container_unit(spec)
    except InvalidRequest:
        return
    assert len(unit.split("\n")) == len(container_unit(replace(SPEC, env=(("A", ""),))).split("\n"))


@pytest.mark.parametrize("value", ["a\nExecStartPre=/bin/sh", "a\rb", "a\0b", "\x1b[31m"])
def test_control_character_is_refused(value: str) -> None:
    with pytest.raises(InvalidRequest, match="control character"):
        quoted(value)


@pytest.mark.parametrize("path", ["/srv/a b.env", '/srv/"x', "/srv/x\nImage=evil"])
def test_path_that_a_unit_cannot_hold_is_refused(path: str) -> None:
    with pytest.raises(InvalidRequest):
        container_unit(replace(SPEC, env_file=path))

"""Podman's defaults are replaced only where they cannot work."""

import tomllib
from pathlib import Path

import pytest

from codeb_mcp.adapters import containers_conf
from codeb_mcp.adapters.containers_conf import podman_environment, write_containers_conf
from codeb_mcp.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A host whose owner has no settings for Podman."""
    monkeypatch.delenv("CONTAINERS_CONF", raising=False)
    monkeypatch.setattr(containers_conf, "_WRITTEN_BY_THE_HOST", (str(tmp_path / "host.conf"),))
    return Settings(home=tmp_path)


def host(monkeypatch: pytest.MonkeyPatch, *, cgroup_v1: bool, may_raise_limits: bool) -> None:
    """Pretend to be on such a host."""
    monkeypatch.setattr(containers_conf, "_cgroup_v1", lambda: cgroup_v1)
    monkeypatch.setattr(containers_conf, "_may_raise_limits", lambda: may_raise_limits)


def test_on_a_usual_host_podman_keeps_its_defaults(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    host(monkeypatch, cgroup_v1=False, may_raise_limits=True)
    write_containers_conf(settings)
    assert podman_environment(settings) == {}
    assert not (settings.run_folder / "containers.conf").exists()


def test_limits_that_may_not_be_raised_are_asked_for_as_they_are(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    host(monkeypatch, cgroup_v1=False, may_raise_limits=False)
    write_containers_conf(settings)
    written = tomllib.loads(Path(podman_environment(settings)["CONTAINERS_CONF"]).read_text())
    names = [limit.split("=")[0] for limit in written["containers"]["default_ulimits"]]
    assert names == ["nofile", "nproc"]
    assert "runtime" not in written["engine"]


def test_settings_of_the_hosts_owner_are_left_in_force(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    host(monkeypatch, cgroup_v1=True, may_raise_limits=False)
    (settings.home / "host.conf").write_text("# only a comment\n")
    assert podman_environment(settings) != {}
    (settings.home / "host.conf").write_text("[containers]\npids_limit = 0\n")
    assert podman_environment(settings) == {}


def test_a_podman_of_the_hosts_own_is_left_alone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    host(monkeypatch, cgroup_v1=True, may_raise_limits=False)
    theirs = settings.model_copy(update={"podman_socket": Path("/run/podman/podman.sock")})
    assert podman_environment(theirs) == {}

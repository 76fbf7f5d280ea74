"""Settings from a file and from the environment, which wins."""

from pathlib import Path

import pytest

from codeb_mcp.errors import HostNotReady, InvalidRequest
from codeb_mcp.settings import load_settings


def test_machine_without_any_set_up_gets_the_embedded_default(tmp_path: Path) -> None:
    settings = load_settings({"CODEB_HOME": str(tmp_path)})
    assert (settings.runtime, settings.base_domain, settings.dns) == ("podman", "localhost", "none")
    assert settings.embedded
    assert settings.registry_file == tmp_path / "registry.db"


def test_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('http_port = 8000\nbase_domain = "example.com"\n')
    settings = load_settings({"CODEB_HOME": str(tmp_path), "CODEB_HTTP_PORT": "9000"})
    assert (settings.http_port, settings.base_domain) == (9000, "example.com")


def test_addresses_are_read_from_a_list_or_from_commas(tmp_path: Path) -> None:
    environ = {"CODEB_HOME": str(tmp_path), "CODEB_ADDRESSES": "192.0.2.1,2001:DB8::1"}
    assert load_settings(environ).addresses == ("192.0.2.1", "2001:db8::1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RUNTIME", "docker"),
        ("HTTP_PORT", "70000"),
        ("BASE_DOMAIN", "not a domain"),
        ("ADDRESSES", "192.0.2.1,192.0.2.2"),
        ("ADDRESSES", "localhost"),
        ("RESOLVERS", "dns.example.com"),
        ("RESOLVERS", "192.0.2.1:dns"),
        ("ACME_DIRECTORY", "http://acme.example.com/dir"),
        ("ACME_EMAIL", "nobody"),
        ("HEALTH_INTERVAL", "0"),
        ("KEEP_IMAGES", "1"),
    ],
)
def test_bad_setting_is_named_with_where_to_correct_it(
    tmp_path: Path, name: str, value: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        load_settings({"CODEB_HOME": str(tmp_path), f"CODEB_{name}": value})
    assert name.lower() in caught.value.message
    assert f"CODEB_{name}" in caught.value.hint


@pytest.mark.parametrize("text", ["runtime = ", "colour = 1\n", "= ="])
def test_bad_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(InvalidRequest):
        load_settings({"CODEB_HOME": str(tmp_path)})


def test_home_that_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("")
    with pytest.raises(HostNotReady, match="cannot be read"):
        load_settings({"CODEB_HOME": str(home)})


def test_key_of_powerdns_does_not_print_itself(tmp_path: Path) -> None:
    settings = load_settings({"CODEB_HOME": str(tmp_path), "CODEB_POWERDNS_KEY": "s3cret"})
    assert "s3cret" not in repr(settings)

"""Files and environment, read once into one frozen `Settings`.

The file is `config.toml` in codeb's folder (`CODEB_HOME`); each key can be set by an environment
variable of the same name, `CODEB_` in front and upper-cased, which wins.
"""

import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from codeb_mcp.domain.backups import Recipient
from codeb_mcp.domain.lifetime import Lifetime
from codeb_mcp.domain.names import DomainName, EnvironmentKind, ImageReference
from codeb_mcp.errors import CodebError, HostNotReady, InvalidRequest

CONFIG_FILE = "config.toml"
_LISTS = (
    *("addresses", "nameservers", "resolvers", "backup_recipients"),
    *("heal_protected", "heal_tools"),
)


def _domain(text: str) -> DomainName:
    try:
        return DomainName(text)
    except CodebError as error:
        raise ValueError(str(error)) from None


def _addresses(texts: tuple[str, ...]) -> tuple[str, ...]:
    addresses = [ipaddress.ip_address(text) for text in texts]
    if len({address.version for address in addresses}) < len(addresses):
        raise ValueError("name at most one IPv4 and one IPv6 address")
    return tuple(str(address) for address in addresses)


def _base_images(text: str) -> str:
    try:
        ImageReference(f"{text}/node")
    except CodebError:
        raise ValueError("name a registry and a path, such as mirror.example/library") from None
    return text


BaseImages = Annotated[str, AfterValidator(_base_images)]


def _resolvers(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        address_and_port(text)
    return texts


def address_and_port(text: str) -> tuple[str, int]:
    """`192.0.2.1`, `192.0.2.1:5300`, `2001:db8::1` or `[2001:db8::1]:5300`; port 53 by default.

    Raises ValueError.
    """
    found = re.fullmatch(r"\[(.+)\](?::(\d{1,5}))?|([^:]+):(\d{1,5})", text)
    address, port = (found[1] or found[3], found[2] or found[4]) if found else (text, None)
    return str(ipaddress.ip_address(address)), int(port or 53)


def _span(text: str) -> str:
    try:
        Lifetime.parse(text)
    except CodebError as error:
        raise ValueError(str(error)) from None
    return text


Span = Annotated[str, AfterValidator(_span)]
Domain = Annotated[str, AfterValidator(_domain)]
Addresses = Annotated[tuple[str, ...], AfterValidator(_addresses)]


def _recipients(texts: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(Recipient(text) for text in texts)
    except CodebError as error:
        raise ValueError(str(error)) from None


BackupRecipients = Annotated[tuple[str, ...], AfterValidator(_recipients)]
Resolvers = Annotated[tuple[str, ...], AfterValidator(_resolvers)]


class Settings(BaseModel):
    """How codeb runs on this host. Every default makes a machine without any set-up work."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path
    runtime: Literal["podman", "quadlet"] = "podman"
    base_domain: Domain = "localhost"

    podman_socket: Path | None = None
    """None: codeb runs Podman's API service itself."""

    caddy_admin: str | None = None
    """`unix//path` or `http://127.0.0.1:2019`; None: codeb runs Caddy itself."""
    caddy_binary: Path | None = None
    http_port: int = Field(default=8080, ge=1, le=65535)
    tls: Literal["off", "auto"] = "off"
    acme_directory: str | None = Field(default=None, pattern=r"^https://[!-~]+$")
    """The directory URL of the ACME server that signs; None: Let's Encrypt, as Caddy chooses."""
    acme_root: Path | None = None
    """A PEM file with the root that the ACME server's own HTTPS is trusted by."""
    acme_email: str | None = Field(default=None, pattern=r"^[!-?A-~]+@[!-?A-~]+$")

    resolvers: Resolvers = ()
    """Who is asked where a custom domain leads, as `address` or `address:port`; the system's."""

    dns: Literal["none", "powerdns"] = "none"
    powerdns_url: str = "http://127.0.0.1:8081"
    powerdns_key: SecretStr | None = None
    powerdns_server: str = "localhost"
    nameservers: tuple[Domain, ...] = ()
    """The names in a new zone's NS records; `ns1.<zone>` when empty."""
    addresses: Addresses = ()
    """This server's public addresses, one IPv4 and one IPv6 at most, which records point at."""
    dns_ttl: int = Field(default=300, ge=1, le=604_800)

    health_interval: float = Field(default=1.0, gt=0, le=60)
    health_retries: int = Field(default=30, ge=1, le=1000)
    health_timeout: float = Field(default=5.0, gt=0, le=60)
    drain_timeout: float = Field(default=30.0, ge=0, le=3600)
    stop_timeout: int = Field(default=10, ge=0, le=600)
    keep_images: int = Field(default=5, ge=2, le=100)

    base_images: BaseImages | None = None
    """Where builds take official images from, for Containerfiles with the argument BASE."""
    free_disk_mb: int = Field(default=1000, ge=0, le=1_000_000)
    """What must be free on disk before a pull or a build, beside the image itself."""
    pull_timeout: float = Field(default=60.0, ge=1, le=3600)
    """How many seconds a registry may send nothing; a pull that goes on is not cut short."""

    database_images: BaseImages = "docker.io/library"
    """Where the images of databases are: `postgres:17`, `redis:8` below it."""

    preview_ttl: Span = "7d"
    """How long a preview lives after a deploy to it; `never` for no end."""
    preview_limit: int = Field(default=10, ge=1, le=100)
    """How many previews a project may have at once."""

    github_url: str = Field(default="https://api.github.com", pattern=r"^https?://[!-~]+$")
    github_token: SecretStr | None = None
    """Whose rights codeb has on GitHub."""
    heal_fixer: Literal["claude", "anthropic"] = "claude"
    """Who is asked for fixes: Claude Code headless, or the Anthropic API."""
    heal_model: str | None = None
    heal_api_url: str = Field(default="https://api.anthropic.com", pattern=r"^https?://[!-~]+$")
    heal_api_key: SecretStr | None = None
    """Also read from ANTHROPIC_API_KEY."""
    heal_claude: str = "claude"
    """The command of Claude Code, or its path."""
    heal_attempts: int = Field(default=3, ge=1, le=10)
    heal_seconds: float = Field(default=1800.0, gt=0, le=86_400)
    heal_usd: float = Field(default=5.0, gt=0, le=1000)
    heal_protected: tuple[str, ...] = ("main", "master", "production", "release/*")
    """Branches that no fix goes to without a person."""
    heal_lines: int = Field(default=60, ge=0, le=10_000)
    """A fix that changes more lines than this goes to a person."""
    heal_tools: tuple[Path, ...] = ()
    """Folders that the checks need to see besides the system's software, read only."""

    agent_may_deploy: tuple[EnvironmentKind, ...] = (
        EnvironmentKind.STAGING,
        EnvironmentKind.PREVIEW,
    )
    """The kinds of environment that an agent deploys to, and rolls back, by itself: for others a
    person is asked, or the digest of a plan that they have seen."""
    backup_recipients: BackupRecipients = ()
    """Public halves of age keys (`age1…`) that backups are encrypted to; none: no backups."""
    backup_daily: int = Field(default=7, ge=1, le=1000)
    backup_weekly: int = Field(default=5, ge=0, le=1000)
    backup_monthly: int = Field(default=12, ge=0, le=1000)
    backup_offsite: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_][\w.-]*:[ -~]*$")
    """An rclone remote and path, such as `b2:my-bucket/codeb`, where a copy of each goes."""

    @property
    def backup_folder(self) -> Path:
        """The encrypted backups."""
        return self.home / "backups"

    @property
    def registry_file(self) -> Path:
        """The SQLite file."""
        return self.home / "registry.db"

    @property
    def auth_file(self) -> Path:
        """The logins at image registries."""
        return self.home / "auth.json"

    @property
    def live_folder(self) -> Path:
        """Where the markers are; Caddy must be able to read it."""
        return self.home / "live"

    @property
    def run_folder(self) -> Path:
        """Sockets, locks and process ids."""
        return self.home / "run"

    @property
    def embedded(self) -> bool:
        """Whether codeb runs Podman's service or Caddy itself."""
        return self.podman_socket is None or self.caddy_admin is None


def default_home(environ: Mapping[str, str]) -> Path:
    """`CODEB_HOME`, else `codeb` in the user's state folder."""
    if chosen := environ.get("CODEB_HOME"):
        return Path(chosen).expanduser().absolute()
    state = environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "codeb"


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings in force. Raises InvalidRequest naming the key and where it was set."""
    environ = os.environ if environ is None else environ
    home = default_home(environ)
    values: dict[str, Any] = _file_values(home / CONFIG_FILE)
    for name in Settings.model_fields:
        if name != "home" and (text := environ.get(f"CODEB_{name.upper()}")) is not None:
            is_list = name in _LISTS
            values[name] = tuple(text.split(",")) if is_list and text else text or None
    if key := environ.get("ANTHROPIC_API_KEY"):
        values.setdefault("heal_api_key", key)
    try:
        return Settings(home=home, **values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InvalidRequest(
            f"setting {key!r} is not valid: {first['msg']}",
            hint=f"correct it in {home / CONFIG_FILE} or in CODEB_{key.upper()}",
            code="invalid_setting",
        ) from None


def _file_values(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise HostNotReady(
            f"{path} cannot be read: {error.strerror}",
            hint="make CODEB_HOME a folder of your own, and the file readable",
            code="settings_unreadable",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(
            f"{path} is not valid TOML: {error}", hint="correct the file", code="invalid_setting"
        ) from None

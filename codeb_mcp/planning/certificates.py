"""Which certificates Caddy gets, from whom and when, as policies in its configuration.

A policy of codeb's names the hosts that it is for, so that those of other sites keep theirs.
Functions here change a configuration that is theirs to change: copy first.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from codeb_mcp.domain.domains import LOOPBACK
from codeb_mcp.domain.host import Json
from codeb_mcp.domain.names import DomainName

POLICY = "codeb-tls"
RENEWAL = "codeb-renew-"
"""The `@id` of the policy by which codeb's hosts get certificates; of one that renews a host's."""
RENEW_INTERVAL = "60s"
"""How often a Caddy that had no TLS before codeb looks whether a certificate is due."""
USUAL_INTERVAL = 600.0
"""Seconds between two looks of any other Caddy."""
ZEROSSL = "https://acme.zerossl.com/v2/DV90"
_PRIVATE = tuple(DomainName(zone) for zone in ("local", "internal", "home.arpa"))
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


@dataclass(frozen=True, slots=True)
class Authority:
    """Who signs: by default those that Caddy chooses, Let's Encrypt first.

    `directory` is the URL of another ACME server, `root` a PEM file that its HTTPS is trusted by.
    """

    directory: str | None = None
    root: str | None = None
    email: str | None = None

    @property
    def issuers(self) -> list[dict[str, Any]]:
        """Caddy's words for it; empty where nothing differs from the default."""
        contact = {"email": self.email} if self.email else {}
        if self.directory is None:
            usual: list[dict[str, Any]] = [{}, {"ca": ZEROSSL}]
            return [{"module": "acme", **each, **contact} for each in usual if contact]
        trusted = {"trusted_roots_pem_files": [self.root]} if self.root else {}
        return [{"module": "acme", "ca": self.directory, **trusted, **contact}]

    def signs_for(self, host: str) -> bool:
        """Whether it may be asked for `host`; Caddy signs for names of this machine itself."""
        zones = (LOOPBACK,) if self.directory else (LOOPBACK, *_PRIVATE)
        return not any(DomainName(host).is_within(zone) for zone in zones)


def arrange_policies(apps: dict[str, Any], hosts: Iterable[str], authority: Authority) -> None:
    """Have `hosts`, all that codeb routes, get their certificates from `authority`.

    A host that somebody else's policy names, or that is being renewed, is left to that policy.
    """
    if "tls" not in apps:
        apps["tls"] = {"automation": {"renew_interval": RENEW_INTERVAL}}
    others = [each for each in _policies(apps) if each.get("@id") != POLICY]
    named = {subject for each in others for subject in each.get("subjects") or []}
    subjects = sorted(host for host in set(hosts) - named if authority.signs_for(host))
    ours = [{"@id": POLICY, "subjects": subjects, "issuers": authority.issuers}]
    _set_policies(apps, [*(ours if subjects and authority.issuers else []), *others])


def start_renewal(apps: dict[str, Any], shares: Mapping[DomainName, float]) -> None:
    """Have Caddy renew each host's certificate once less than that share of its life is left."""
    for host, share in shares.items():
        policies = _policies(apps)
        applies = next((each for each in policies if _applies(each, host)), {})
        kept = {key: value for key, value in applies.items() if key not in ("@id", "subjects")}
        wanted = {"@id": f"{RENEWAL}{host}", "subjects": [host], **kept}
        wanted["renewal_window_ratio"] = share
        others = [each for each in policies if each.get("@id") != wanted["@id"]]
        _set_policies(apps, [wanted, *_without_subject(others, host)])


def end_renewal(apps: dict[str, Any], hosts: Iterable[str]) -> None:
    """Take back what `start_renewal` did for these hosts; `arrange_policies` is to follow."""
    ids = {f"{RENEWAL}{host}" for host in hosts}
    _set_policies(apps, [each for each in _policies(apps) if each.get("@id") not in ids])


def forget_hosts(apps: dict[str, Any], hosts: Iterable[str]) -> None:
    """Take hosts that are routed no more out of codeb's policies."""
    gone = list(hosts)
    end_renewal(apps, gone)
    policies = _policies(apps)
    for host in gone:
        policies = _without_subject(policies, host)
    _set_policies(apps, policies)


def renew_interval(config: Json | None) -> float:
    """Seconds between two looks of this Caddy at its certificates."""
    place: Any = config
    for key in ("apps", "tls", "automation", "renew_interval"):
        place = (place or {}).get(key)
    if isinstance(place, int):
        return place / 1e9
    parts = re.findall(r"([0-9.]+)(ms|h|m|s)", place or "")
    return sum(float(number) * _UNITS[unit] for number, unit in parts) or USUAL_INTERVAL


def _policies(apps: Mapping[str, Any]) -> list[dict[str, Any]]:
    automation = (apps.get("tls") or {}).get("automation") or {}
    return list(automation.get("policies") or [])


def _set_policies(apps: dict[str, Any], policies: list[dict[str, Any]]) -> None:
    """Write them where they differ: what codeb has nothing to say of stays as it was."""
    if policies == _policies(apps):
        return
    automation = apps.setdefault("tls", {}).setdefault("automation", {})
    automation["policies"] = policies
    if not policies:
        del automation["policies"]


def _applies(policy: Json, host: str) -> bool:
    subjects = policy.get("subjects") or []
    parent = host.partition(".")[2]
    return not subjects or host in subjects or f"*.{parent}" in subjects


def _without_subject(policies: list[dict[str, Any]], host: str) -> list[dict[str, Any]]:
    """The policies, codeb's own without that host, and gone when it was its last."""
    kept = []
    for policy in policies:
        subjects = [each for each in policy.get("subjects") or [] if each != host]
        if policy.get("@id") != POLICY:
            kept.append(policy)
        elif subjects:
            kept.append({**policy, "subjects": subjects})
    return kept

"""The certificates that Caddy keeps: seen as a visitor sees them, renewed by Caddy itself.

How Caddy stores them is its own affair: a file that is taken away or put in its place would not
even be noticed before its next start. What makes it renew is its configuration, which says how
much of a certificate's life may be left; it then has the new one signed beside the old one, and
shows the new one from the moment that it is there.
"""

import ssl
from collections.abc import Collection, Mapping

import anyio
from anyio.abc import ByteStream
from anyio.streams.tls import TLSAttribute, TLSStream

from codeb_mcp.adapters.caddy_admin import CaddyAdmin
from codeb_mcp.domain.certificate import Certificate
from codeb_mcp.domain.names import DomainName
from codeb_mcp.errors import SystemFailed
from codeb_mcp.planning.certificates import renew_interval
from codeb_mcp.planning.servers import Entrance, with_renewal, without_renewal

SECONDS = 5.0


class CaddyCertificates:
    """Implements `Certificates` through the admin API and the door that visitors come in by."""

    def __init__(self, admin: CaddyAdmin, entrance: Entrance) -> None:
        self._admin = admin
        self._entrance = entrance

    @property
    def kept(self) -> bool:
        """Whether Caddy keeps any."""
        return self._entrance.tls

    def signed(self, domain: DomainName) -> bool:
        """Whether an authority signs for `domain`, and not Caddy itself."""
        return self._entrance.authority.signs_for(domain)

    async def served(self, domain: DomainName) -> Certificate | None:
        """What a visitor of `domain` is shown; None while there is nothing to show."""
        try:
            with anyio.fail_after(SECONDS):
                visitor = await anyio.connect_tcp("127.0.0.1", self._entrance.port)
                async with visitor:
                    shown = await _shown(visitor, domain)
        except TimeoutError:
            raise self._down(f"timed out after {SECONDS:g} s") from None
        except OSError as error:
            raise self._down(str(error)) from None
        return parse_certificate(shown) if shown else None

    async def start_renewal(self, shares: Mapping[DomainName, float]) -> float:
        """Have each certificate renewed once less than that share of its life is left."""
        await self._admin.edit(_renewing(shares), lambda config: with_renewal(config, shares))
        config, _ = await self._admin.config()
        return renew_interval(config)

    async def end_renewal(self, domains: Collection[DomainName]) -> None:
        """Renew these when they are due again, as all others."""
        await self._admin.edit(
            _renewing(domains), lambda config: without_renewal(config, domains, self._entrance)
        )

    def _down(self, why: str) -> SystemFailed:
        return SystemFailed(
            f"Caddy does not answer on 127.0.0.1:{self._entrance.port}: {why}",
            hint="see that nothing else listens on that port; Caddy's log says more",
            code="public_unreachable",
        )


async def _shown(visitor: ByteStream, domain: DomainName) -> bytes | None:
    """The certificate of a handshake for `domain`, or None when Caddy has none and breaks it off.

    Whatever it is, it is to be looked at, and nothing is said over the connection.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        stream = await TLSStream.wrap(
            visitor, hostname=domain, ssl_context=context, standard_compatible=False
        )
    except (ssl.SSLError, anyio.EndOfStream, anyio.BrokenResourceError):
        return None
    return stream.extra(TLSAttribute.peer_certificate_binary)  # noqa: S610 - this is not Django


def parse_certificate(der: bytes) -> Certificate:
    """A certificate from its DER."""
    from cryptography import x509  # noqa: PLC0415 - slow to import, and most commands need none

    found = x509.load_der_x509_certificate(der)
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        dns_names: list[str] = []
    else:
        dns_names = names.get_values_for_type(x509.DNSName)
    return Certificate(
        serial=f"{found.serial_number:x}",
        names=tuple(dns_names),
        issuer=found.issuer.rfc4514_string(),
        not_before=found.not_valid_before_utc,
        not_after=found.not_valid_after_utc,
    )


def _renewing(domains: Collection[DomainName]) -> str:
    return f"renewing the certificates of {', '.join(domains)}"

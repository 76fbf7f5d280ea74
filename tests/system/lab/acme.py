"""Pebble in the server: an authority that speaks ACME, and really looks at ports 80 and 443.

It resolves names by PowerDNS, so that a domain leads where its record there says.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .server import Server
from .services import wait_for_http

FOLDER = "/etc/pebble"
LOOPBACK = IPv4Address("127.0.0.1")
UNIT = """\
[Unit]
Description=ACME authority
After=network-online.target pdns.service

[Service]
DynamicUser=yes
# it otherwise sleeps up to 15 s before it looks
Environment=PEBBLE_VA_NOSLEEP=1
ExecStart=/usr/bin/pebble -config {folder}/config.json -dnsserver {nameserver}:53
Restart=on-failure

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True, slots=True)
class Pebble:
    """Where it is asked, and the files in the server that hold the roots of trust.

    `https_root` is that of its own HTTPS, `root` that of the certificates it signs, `root_pem`
    the text of the latter. Each start has a new one.
    """

    server: Server
    directory: str
    https_root: str
    root: str
    root_pem: str

    def log(self) -> str:
        """Everything it wrote."""
        return self.server.run(["journalctl", "--unit=pebble", "--output=cat"]).stdout


def install_pebble(server: Server, nameserver: str) -> Pebble:
    """Pebble on loopback, asking `nameserver` where names lead."""
    root, chain, key = _https_certificate()
    config = {
        "listenAddress": "127.0.0.1:14000",
        "managementListenAddress": "127.0.0.1:15000",
        "certificate": f"{FOLDER}/https.pem",
        "privateKey": f"{FOLDER}/https.key",
        "httpPort": 80,
        "tlsPort": 443,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
    }
    server.write(f"{FOLDER}/root.pem", root)
    server.write(f"{FOLDER}/https.pem", chain)
    # a key of this server alone, whose user is made at each start
    server.write(f"{FOLDER}/https.key", key)
    server.write(f"{FOLDER}/config.json", json.dumps({"pebble": config}))
    unit = UNIT.format(folder=FOLDER, nameserver=nameserver)
    server.write("/etc/systemd/system/pebble.service", unit)
    server.run(["systemctl", "daemon-reload"])
    server.run(["systemctl", "enable", "--now", "pebble.service"])
    https_root = f"{FOLDER}/root.pem"
    pem = wait_for_http(server, "https://127.0.0.1:15000/roots/0", cacert=https_root)
    server.write(f"{FOLDER}/signing-root.pem", pem)
    return Pebble(
        server=server,
        directory="https://127.0.0.1:14000/dir",
        https_root=https_root,
        root=f"{FOLDER}/signing-root.pem",
        root_pem=pem,
    )


def _https_certificate() -> tuple[bytes, bytes, bytes]:
    """A root, a certificate of 127.0.0.1 that it signed, and the latter's key, all in PEM."""
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = x509.BasicConstraints(ca=True, path_length=None)
    address = x509.SubjectAlternativeName([x509.IPAddress(LOOPBACK)])
    root = _signed("lab root", root_key.public_key(), "lab root", root_key, authority)
    leaf = _signed("pebble", key.public_key(), "lab root", root_key, address)
    pem = serialization.Encoding.PEM
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return root.public_bytes(pem), leaf.public_bytes(pem), key.private_bytes(pem, *plain)


def _signed(
    subject: str,
    public: ec.EllipticCurvePublicKey,
    issuer: str,
    key: ec.EllipticCurvePrivateKey,
    extension: x509.ExtensionType,
) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(extension, critical=False)
        .sign(key, hashes.SHA256())
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

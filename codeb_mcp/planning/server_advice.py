"""What set-up leaves to the server's owner, as sentences with the commands to run."""

from collections.abc import Iterator

from codeb_mcp.domain.server import Survey, Wanted


def advice(wanted: Wanted, survey: Survey) -> tuple[str, ...]:
    """In the order in which a person would do it."""
    return (*_firewall(wanted, survey), *_registrar(wanted), *_client(wanted))


def _firewall(wanted: Wanted, survey: Survey) -> Iterator[str]:
    ports = ["80/tcp", *(["443/tcp", "443/udp"] if wanted.tls == "auto" else [])]
    if wanted.name_server:
        ports = ["53/tcp", "53/udp", *ports]
    match survey.firewall:
        case "ufw":
            commands = " && ".join(f"ufw allow {port}" for port in ports)
            yield f"open the firewall (ufw is on): {commands}"
        case "firewalld":
            words = " ".join(f"--add-port={port}" for port in ports)
            yield (
                "open the firewall (firewalld is on): "
                f"firewall-cmd --permanent {words} && firewall-cmd --reload"
            )
        case "":
            yield (
                f"no firewall is on here; if your provider has one, let in 22/tcp and "
                f"{', '.join(ports)}, and nothing else"
            )


def _registrar(wanted: Wanted) -> Iterator[str]:
    where = " and ".join(wanted.addresses)
    if wanted.name_server is None:
        yield f"where the DNS of {wanted.domain} is kept, point *.{wanted.domain} at {where}"
        return
    names = wanted.name_server.nameservers or (f"ns1.{wanted.domain}",)
    yield (
        f"at the registrar of {wanted.domain}, name {', '.join(names)} as its name server, with "
        f"{where} as glue; then ask: dig +short NS {wanted.domain}"
    )


def _client(wanted: Wanted) -> Iterator[str]:
    account = wanted.account
    yield (
        f"let your key in as {account.name}: install -D -m 600 -o {account.name} -g {account.name} "
        f"~/.ssh/authorized_keys {account.home}/.ssh/authorized_keys && "
        f"chown {account.name}: {account.home}/.ssh"
    )
    yield (
        "connect an agent, from your own machine: "
        f"claude mcp add codeb -- ssh {account.name}@{wanted.addresses[0]} codeb-mcp"
    )

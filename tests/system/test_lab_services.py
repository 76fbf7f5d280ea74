"""What runs on the lab's server: containers, PowerDNS, the registry and Caddy are real."""

import json
from importlib import metadata

import dns.message
import dns.query
import dns.rdatatype
import httpx

from tests.system.lab import Server
from tests.system.lab.images import push_image, web_image
from tests.system.lab.product import Product
from tests.system.lab.services import (
    Caddy,
    PowerDNS,
    Registry,
    User,
    add_user,
    install_caddy,
    install_powerdns,
    install_registry,
    wait_for_http,
)

QUADLET = """\
[Unit]
Description=A page of the lab

[Container]
Image={image}
PublishPort=8088:8080

[Install]
WantedBy=default.target
"""


def ask_api(server: Server, powerdns: PowerDNS, method: str, path: str, body: object) -> None:
    """One request to PowerDNS's API, which is reached from inside only."""
    server.run(
        [
            *("curl", "-sS", "--fail-with-body", "--request", method),
            *("--header", f"X-API-Key: {powerdns.api_key}", "--data", json.dumps(body)),
            f"{powerdns.url}/api/v1/servers/localhost{path}",
        ]
    )


def test_rootless_quadlet_answers_and_comes_back_after_a_reboot(server: Server, user: User) -> None:
    image = web_image(server, user.name, "lab-page:1", "a page of the lab\n")
    quadlet = f"{user.home}/.config/containers/systemd/lab-page.container"
    server.write(quadlet, QUADLET.format(image=image), owner=user.name)
    server.run_as(user.name, ["systemctl", "--user", "daemon-reload"])
    server.run_as(user.name, ["systemctl", "--user", "start", "lab-page.service"])
    try:
        for _ in range(2):
            assert wait_for_http(server, "http://127.0.0.1:8088/") == "a page of the lab\n"
            assert httpx.get(f"http://{server.address}:8088/health").text == "ok\n"
            server.reboot()
    finally:
        server.run(["rm", quadlet])
        server.run_as(user.name, ["systemctl", "--user", "stop", "lab-page.service"])
        server.run_as(user.name, ["systemctl", "--user", "daemon-reload"])


def test_detached_container_outlives_the_command_that_started_it(
    server: Server, user: User
) -> None:
    image = web_image(server, user.name, "lab-page:1", "a page of the lab\n")
    publish = "--publish=127.0.0.1:8089:9000"
    start = ["podman", "run", "--detach", "--name=lab-detached", "--env=PORT=9000", publish, image]
    server.run_as(user.name, start)
    try:
        assert wait_for_http(server, "http://127.0.0.1:8089/") == "a page of the lab\n"
    finally:
        server.run_as(user.name, ["podman", "rm", "--force", "lab-detached"])


def test_containers_on_one_network_find_each_other_by_name(server: Server, user: User) -> None:
    image = web_image(server, user.name, "lab-page:1", "a page of the lab\n")
    server.run_as(user.name, ["podman", "network", "create", "lab-network"])
    on_network = ["podman", "run", "--network=lab-network", "--rm"]
    try:
        server.run_as(user.name, [*on_network, "--detach", "--name=lab-peer", image])
        ask = [*on_network, image, "wget", "-q", "-O", "-", "http://lab-peer:8080/"]
        assert server.run_as(user.name, ask).stdout == "a page of the lab\n"
    finally:
        server.run_as(user.name, ["podman", "rm", "--force", "lab-peer"])
        server.run_as(user.name, ["podman", "network", "rm", "--force", "lab-network"])


def test_podman_api_answers_on_the_users_socket(server: Server, user: User) -> None:
    ping = ["curl", "-sS", "--unix-socket", user.podman_socket, "http://d/_ping"]
    assert server.run_as(user.name, ping).stdout == "OK"


def test_record_set_over_the_api_is_answered_at_once(server: Server, powerdns: PowerDNS) -> None:
    zone = "lab-record.example."
    ask_api(server, powerdns, "POST", "/zones", {"name": zone, "kind": "Native"})
    for address in ("192.0.2.7", "192.0.2.8"):
        rrset = {
            "name": f"www.{zone}",
            "type": "A",
            "ttl": 60,
            "changetype": "REPLACE",
            "records": [{"content": address, "disabled": False}],
        }
        ask_api(server, powerdns, "PATCH", f"/zones/{zone}", {"rrsets": [rrset]})
        port = str(powerdns.loopback_port)
        dig = ["dig", "+short", "@127.0.0.1", "-p", port, f"www.{zone}", "A"]
        assert server.run(dig).stdout == f"{address}\n"
        question = dns.message.make_query(f"www.{zone}", dns.rdatatype.A)
        answer = dns.query.udp(question, powerdns.nameserver, timeout=5)
        assert [str(record) for record in answer.answer[0]] == [address]


def test_pushed_image_can_be_pulled_by_its_digest(
    server: Server, user: User, registry: Registry
) -> None:
    image = web_image(server, user.name, "lab-pushed:2", "pushed\n")
    pushed = push_image(server, user.name, image)
    assert pushed.reference == f"{registry.location}/lab-pushed:2"
    server.run_as(user.name, ["podman", "rmi", image])
    server.run_as(user.name, ["podman", "pull", "--quiet", pushed.pinned])
    show = ["podman", "run", "--rm", pushed.pinned, "cat", "/www/index.html"]
    assert server.run_as(user.name, show).stdout == "pushed\n"


def test_caddy_takes_its_configuration_on_the_socket_and_keeps_it(
    server: Server, user: User, caddy: Caddy
) -> None:
    admin = ["curl", "-sS", "--fail-with-body", "--unix-socket", caddy.admin_socket]
    original = server.run_as(user.name, [*admin, "http://localhost/config/"]).stdout
    reply = {"handler": "static_response", "body": "from caddy"}
    site = {"listen": [":80"], "routes": [{"handle": [reply]}]}
    config = {**json.loads(original), "apps": {"http": {"servers": {"lab": site}}}}
    load = [*admin, "http://localhost/load", "--json"]
    try:
        server.run_as(user.name, [*load, json.dumps(config)])
        assert httpx.get(f"http://{server.address}/").text == "from caddy"
        server.reboot()
        assert httpx.get(f"http://{server.address}/").text == "from caddy"
    finally:
        server.run_as(user.name, [*load, original])


def test_installing_services_again_changes_nothing(
    server: Server, user: User, powerdns: PowerDNS, registry: Registry, caddy: Caddy
) -> None:
    units = ["pdns.service", "docker-registry.service", caddy.unit]
    pids = ["systemctl", "show", "--property=MainPID", "--value", *units]
    before = server.run(pids).stdout
    assert add_user(server, user.name) == user
    assert install_powerdns(server) == powerdns
    assert install_registry(server) == registry
    assert install_caddy(server, user.name) == caddy
    assert server.run(pids).stdout == before


def test_installed_product_is_the_wheel_of_this_tree(
    server: Server, user: User, product: Product
) -> None:
    where = (
        "import codeb_mcp, importlib.metadata as metadata\n"
        "print(codeb_mcp.__file__, metadata.version('codeb-mcp'))"
    )
    path, version = server.run_as(user.name, [product.python, "-c", where]).stdout.split()
    assert path.startswith("/opt/codeb/lib/python3.13/site-packages/")
    assert version == metadata.version("codeb-mcp")
    for command in (product.codeb, product.codeb_mcp):
        server.run_as(user.name, ["test", "-x", command])

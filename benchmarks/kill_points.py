"""SIGKILL at every point of what changes a host, and what the next two calls do.

    sudo .venv/bin/python -m benchmarks.kill_points [--repeats 5] [--anywhere 20] [--every 1]

Deploy, rollback, removal and custom domains on this host with Podman alone and in the tests'
server under systemd; the renewal of certificates there; set-up on a server that has nothing yet.
The points are before each journal entry and before each change of a system, so before, in and
after each step; `--anywhere` adds kills by time, which meet codeb in the middle of a call to
Podman, systemd or Caddy too.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.system.crashes import DEPLOYING, DOMAINS, RENEWING, kill
from tests.system.fresh import FreshServer
from tests.system.lab import Server
from tests.system.lab.acme import install_pebble
from tests.system.lab.mirror import package_mirror
from tests.system.lab.product import install_product
from tests.system.lab.services import (
    add_user,
    install_caddy,
    install_powerdns,
    install_registry,
)
from tests.system.sites import EmbeddedSite, LabSite, TlsSite
from tests.system.sites.tls import caddy_of_its_own

Rows = Sequence[Mapping[str, str]]
PARTS = ("podman", "quadlet", "renewal", "setup")


def main() -> int:
    """Kill, and print how many of the kills left something wrong."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--repeats", type=int, default=5)
    arguments.add_argument("--anywhere", type=int, default=20)
    arguments.add_argument("--every", type=int, default=1)
    arguments.add_argument("--only", choices=PARTS, action="append")
    options = vars(arguments.parse_args())
    parts = options.pop("only") or PARTS
    failed = 0
    if "podman" in parts:
        with (
            tempfile.TemporaryDirectory() as folder,
            EmbeddedSite.opened(Path(folder) / "site") as here,
        ):
            failed += told("podman", kill(here, "kills", (*DEPLOYING, *DOMAINS), **options))
    if {"quadlet", "renewal"} & {*parts}:
        with lab_sites() as (site, secure):
            if "quadlet" in parts:
                failed += told("quadlet", kill(site, "kills", (*DEPLOYING, *DOMAINS), **options))
            if "renewal" in parts:
                with caddy_of_its_own(site.server, site.caddy):
                    failed += told("renewal", kill(secure(), "kills", RENEWING, **options))
    if "setup" in parts:
        failed += sum(told("setup", set_up()) for _ in range(options["repeats"]))
    return int(failed > 0)


@contextmanager
def lab_sites() -> Iterator[tuple[LabSite, Callable[[], TlsSite]]]:
    """The tests' server with codeb on it, and how to have the same with TLS."""
    with Server.boot() as server:
        user = add_user(server)
        powerdns, registry = install_powerdns(server), install_registry(server)
        caddy, product = install_caddy(server, user.name), install_product(server)
        parts = (server, user, powerdns, registry, caddy, product)
        pebble = install_pebble(server, powerdns.nameserver)
        yield LabSite(*parts), lambda: TlsSite(*parts, pebble=pebble)


def set_up() -> Rows:
    """Set a bare server up, killed after each of its steps."""
    rows = []
    with Server.boot(bare=True) as server:
        fresh = FreshServer(server, install_product(server))
        with package_mirror(server):
            while (step := fresh.one_step()) != "settled":
                rows.append({"operation": "set-up", "point": step, "problem": ""})
        left = [*fresh.planned(), *fresh.wrong()]
    return [*rows[:-1], {**rows[-1], "problem": ", ".join(left)}]


def told(where: str, rows: Rows) -> int:
    """Print what became of the kills; how many were not mended."""
    wrong = [row for row in rows if row["problem"]]
    points = {(row["operation"], row["point"], row.get("number")) for row in rows}
    counts = Counter(row["operation"] for row in rows)
    print(f"{where}: {len(rows)} kills at {len(points)} points ({dict(counts)}), ", end="")
    print(f"{len(wrong)} not mended ({time.strftime('%H:%M:%S')})", flush=True)
    for row in wrong:
        print(f"  {row['operation']}, {row['point']}: {row['problem']}")
    return len(wrong)


if __name__ == "__main__":
    sys.exit(main())

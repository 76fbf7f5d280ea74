"""SIGKILL at every point of deploy, rollback and removal, and what the next two calls do.

    sudo .venv/bin/python -m benchmarks.kill_points [--repeats 5] [--anywhere 20] [--every 1]

Boots the tests' server and does it there with both runtimes. The points are before each journal
entry and before each change of a system; `--anywhere` adds kills by time, which meet codeb in the
middle of a call to Podman, systemd or Caddy too.
"""

import argparse
import sys
from collections import Counter

from tests.system.crashes import kill
from tests.system.lab import Server
from tests.system.lab.product import install_product
from tests.system.lab.services import (
    add_user,
    install_caddy,
    install_powerdns,
    install_registry,
)
from tests.system.sites import LabSite


def main() -> int:
    """Kill, and print how many of the kills left something wrong."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--repeats", type=int, default=5)
    arguments.add_argument("--anywhere", type=int, default=20)
    arguments.add_argument("--every", type=int, default=1)
    options = vars(arguments.parse_args())
    failed = 0
    with Server.boot() as server:
        user = add_user(server)
        services = install_powerdns(server), install_registry(server)
        caddy = install_caddy(server, user.name)
        site = LabSite(server, user, *services, caddy, install_product(server))
        for runtime in ("podman", "quadlet"):
            rows = kill(site, runtime, f"kills-{runtime}", **options)
            wrong = [row for row in rows if row["problem"]]
            failed += len(wrong)
            counts = Counter(row["operation"] for row in rows)
            print(f"{runtime}: {len(rows)} kills ({dict(counts)}), {len(wrong)} not mended")
            for row in wrong:
                print(f"  {row['operation']}, {row['point']}: {row['problem']}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())

"""Kills codeb at every point of its work on a host, and looks at what the next call makes of it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.system.lab.commands import Completed
from tests.system.sites import EmbeddedSite, LabSite

FOLDER = "/opt/codeb-crashes"
MODULE = "tests.system.crashes.program"
DEPLOYING = ("first deploy", "deploy", "rollback", "remove", "close")
DOMAINS = ("add domain", "remove domain")
RENEWING = ("renew",)

__all__ = ["DEPLOYING", "DOMAINS", "RENEWING", "kill"]


def kill(
    site: LabSite | EmbeddedSite, project: str, operations: Sequence[str], **job: Any
) -> list[Mapping[str, str]]:
    """Run `program.py` on the site: one row for each kill, with what was wrong afterwards, if so.

    `job` is what `program.Job` takes besides the project, its images and the operations.
    """
    images = [site.image(f"{project}:v{n}", page=f"page {n}\n") for n in (0, 1)]
    told = json.dumps({"project": project, "images": images, "operations": operations, **job})
    ended = _in_lab(site, told) if isinstance(site, LabSite) else _here(site, told)
    rows = [json.loads(line) for line in ended.stdout.splitlines()]
    assert ended.returncode == 0, ended.stderr
    return rows


def _in_lab(site: LabSite, told: str) -> Completed:
    for name in ("program.py", "state.py"):
        text = (Path(__file__).parent / name).read_text()
        site.server.write(f"{FOLDER}/tests/system/crashes/{name}", text)
    resolver = f"127.0.0.1:{site.powerdns.loopback_port}"
    return site.server.run_as(
        site.user.name,
        [site.product.python, "-m", MODULE, told],
        env={"CODEB_HOME": site.home, "CODEB_RESOLVERS": resolver, "PYTHONPATH": FOLDER},
        check=False,
        timeout=7200,
    )


def _here(site: EmbeddedSite, told: str) -> Completed:
    ended = subprocess.run(
        [sys.executable, "-m", MODULE, told],
        env={**site.environment(), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=7200,
    )
    return Completed(tuple(ended.args), ended.stdout, ended.stderr, ended.returncode)

"""Kills codeb at every point of its work on a host, and looks at what the next call makes of it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.system.sites import LabSite

FOLDER = "/opt/codeb-crashes"
MODULE = "tests.system.crashes.program"
OPERATIONS = ("first deploy", "deploy", "rollback", "remove")

__all__ = ["OPERATIONS", "kill"]


def kill(site: LabSite, runtime: str, project: str, **job: Any) -> list[Mapping[str, str]]:
    """Run `program.py` on the site: one row for each kill, with what was wrong afterwards, if so.

    `job` is what `program.Job` takes besides the project and its images.
    """
    for name in ("program.py", "state.py"):
        site.server.write(
            f"{FOLDER}/tests/system/crashes/{name}", (Path(__file__).parent / name).read_text()
        )
    images = [site.image(f"{project}:v{n}", page=f"page {n}\n") for n in (0, 1)]
    told = json.dumps({"project": project, "images": images, "operations": OPERATIONS, **job})
    ended = site.server.run_as(
        site.user.name,
        [site.product.python, "-m", MODULE, told],
        env={"CODEB_RUNTIME": runtime, "PYTHONPATH": FOLDER},
        check=False,
        timeout=3600,
    )
    rows = [json.loads(line) for line in ended.stdout.splitlines()]
    assert ended.returncode in (0, 1), ended.stderr
    assert rows or not ended.stderr, ended.stderr
    return rows

"""SIGKILL before, between and after the steps of deploy, rollback and removal: the next converges.

This is a selection: `benchmarks/kill_points.py` kills at every point, five times.
"""

import pytest

from .crashes import OPERATIONS, kill
from .sites import LabSite


@pytest.mark.parametrize("runtime", ["podman", "quadlet"])
def test_call_after_a_kill_converges_and_the_one_after_changes_nothing(
    lab_site: LabSite, runtime: str
) -> None:
    rows = kill(lab_site, runtime, f"crash-{runtime}", every=2, anywhere=2)
    assert [row for row in rows if row["problem"]] == []
    killed = [row for row in rows if not row["point"].startswith("none")]
    assert len(killed) > 40
    assert {row["operation"] for row in killed} == set(OPERATIONS)

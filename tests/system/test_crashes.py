"""SIGKILL before, between and after the steps of what changes a host: the next call converges.

Every other point once; `benchmarks/kill_points.py` kills at all of them, five times.
"""

import pytest

from .crashes import DEPLOYING, DOMAINS, kill
from .sites import EmbeddedSite, LabSite

# some eighty kills, and three whole calls around each
pytestmark = pytest.mark.timeout(2400)


def test_call_after_a_kill_converges_under_systemd_and_the_one_after_changes_nothing(
    lab_site: LabSite,
) -> None:
    operations = (*DEPLOYING, *DOMAINS)
    rows = kill(lab_site, "crash-quadlet", operations, every=2, anywhere=2)
    assert [row for row in rows if row["problem"]] == []
    assert {row["operation"] for row in rows} == set(operations)
    assert len([row for row in rows if not row["point"].startswith("none")]) > 40


def test_call_after_a_kill_converges_under_podman_alone_and_the_one_after_changes_nothing(
    embedded: EmbeddedSite,
) -> None:
    rows = kill(embedded, "crash-podman", DEPLOYING, every=2, anywhere=2)
    assert [row for row in rows if row["problem"]] == []
    assert {row["operation"] for row in rows} == set(DEPLOYING)
    assert len([row for row in rows if not row["point"].startswith("none")]) > 40

"""Many processes allocate at once: what `benchmarks/ports.py` measures, at a size for each run."""

from benchmarks.ports import contend


def test_no_port_is_lost_or_handed_out_twice_when_processes_contend() -> None:
    ports, rows, _ = contend(processes=4, count=50)
    assert len(ports) == len(set(ports)) == rows == 200

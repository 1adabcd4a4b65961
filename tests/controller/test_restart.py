"""Every object survives the restart of the API server: each is reconciled to its newest generation.

On a real server a whole run of the tests has time for some hundreds; with ten thousand it is seen by
`python tests/benchmarks/bench_restart.py --check --server kubernetes`, which runs the same function.
"""

import runpy
from pathlib import Path

import pytest
from servers import control_plane_binaries

SURVIVE = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "bench_restart.py"), run_name="bench_restart")[
    "survive"
]


@pytest.mark.slow
@pytest.mark.parametrize(("server_kind", "objects"), [("embedded", 10_000), ("kubernetes", 300)])
@pytest.mark.realtime(limit=240)
async def test_no_object_stays_behind_when_the_server_is_killed_in_the_middle_of_changes(
    server_kind, objects, tmp_path
):
    """Killed with -9 while specs change, back on the same port two seconds later."""
    if server_kind == "kubernetes":
        control_plane_binaries()
    report = await SURVIVE(objects, tmp_path, server_kind)
    assert report.behind == ()
    assert report.refused > 0  # or the changes were over when the server went
    assert report.runs >= 2 * objects

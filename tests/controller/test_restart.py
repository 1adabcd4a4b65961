"""Ten thousand objects survive the restart of the API server: each is reconciled to its newest generation."""

import runpy
from pathlib import Path

import pytest

SURVIVE = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "bench_restart.py"), run_name="bench_restart")[
    "survive"
]


@pytest.mark.parametrize(
    "objects", [pytest.param(300, id="300"), pytest.param(10_000, id="10000", marks=pytest.mark.slow)]
)
@pytest.mark.realtime(limit=240)
async def test_no_object_stays_behind_when_the_server_is_killed_in_the_middle_of_changes(objects, tmp_path):
    """Killed with -9 while specs change, back on the same port two seconds later."""
    report = await SURVIVE(objects, tmp_path)
    assert report.behind == ()
    assert report.errors > 0  # or the server was not missed, and nothing was tried
    assert report.runs >= 2 * objects

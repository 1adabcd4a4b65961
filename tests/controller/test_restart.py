"""Ten thousand objects survive the restart of the API server: each is reconciled to its newest generation."""

import runpy
from pathlib import Path

import pytest
from servers import control_plane_binaries

SURVIVE = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "bench_restart.py"), run_name="bench_restart")[
    "survive"
]


@pytest.mark.parametrize(
    ("server_kind", "objects"),
    [
        pytest.param("embedded", 300, id="embedded-300"),
        pytest.param("embedded", 10_000, id="embedded-10000", marks=pytest.mark.slow),
        # The benchmark takes 10 000 here as well, which a whole run of the tests has no time for.
        pytest.param("kubernetes", 300, id="kubernetes-300"),
    ],
)
@pytest.mark.realtime(limit=240)
async def test_no_object_stays_behind_when_the_server_is_killed_in_the_middle_of_changes(
    server_kind, objects, tmp_path
):
    """Killed with -9 while specs change, back on the same port two seconds later."""
    if server_kind == "kubernetes":
        control_plane_binaries()
    report = await SURVIVE(objects, tmp_path, server_kind)
    assert report.behind == ()
    assert report.errors > 0  # or the server was not missed, and nothing was tried
    assert report.runs >= 2 * objects

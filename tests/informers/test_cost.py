"""What a copy costs stays under its bars; the benchmark measures, this only insists."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[1] / "benchmarks" / "bench_informers.py"


@pytest.mark.slow
def test_a_copy_of_many_objects_stays_under_four_kilobytes_each_at_its_peak_and_two_and_a_half_at_rest():
    """And the loop is never held for more than 20 ms (A4); other programs on the machine may spoil a run, not three."""
    command = [sys.executable, str(BENCH), "--objects", "100000", "--check"]
    for _ in range(3):
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        print(done.stdout)
        if done.returncode == 0:
            return
    raise AssertionError(done.stdout + done.stderr)

"""Every script here can be started: what it takes from its neighbours is there."""

import importlib
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
sys.path.append(str(FOLDER))

ELSEWHERE = {"kserve_linear"}  # runs in the environment of KServe's server
SCRIPTS = sorted(
    path.stem
    for path in FOLDER.glob("*.py")
    if '__name__ == "__main__"' in path.read_text("utf-8") and path.stem not in ELSEWHERE
)


def test_there_are_scripts():
    assert {"bench_contenders", "bench_request", "guard"} <= set(SCRIPTS)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_finds_what_it_needs(script):
    importlib.import_module(script)

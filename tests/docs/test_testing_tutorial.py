"""The tutorial on testing, followed by its letter: its fault is found as it says, and the mended operator passes."""

import re
import shutil
from pathlib import Path

import pytest
import servers

from windlass.envtest.controlplane import find_binaries

pytest_plugins = ["pytester"]

DOCS = Path(__file__).resolve().parents[2] / "docs"
TUTORIAL, HOW_TO = DOCS / "tutorial", DOCS / "how-to"
PAGE = (TUTORIAL / "testing-an-operator.md").read_text()
BINARIES = find_binaries(controller_manager=True)  # before pytester takes the home directory away
ARGUMENTS = ("-p", "no:asyncio", "-p", "no:anyio", "-W", "error", "--tb=line")


@pytest.fixture
def folder(pytester):
    for file in (TUTORIAL / "testing").glob("*.py"):
        shutil.copy(file, pytester.path)
    return pytester


def test_the_fault_of_the_first_version_is_found_as_the_page_says(folder):
    (folder.path / "accounts_first.py").replace(folder.path / "accounts.py")
    result = folder.runpytest_subprocess(*ARGUMENTS)
    result.assert_outcomes(passed=4, failed=1)
    shown = re.search(r"```\n(killed before write .*?)\n```", PAGE, re.DOTALL)[1]
    # Of the calls before, only their number is the operator's own affair.
    said = result.stdout.str().replace("\n    ", "\n")
    for line in shown.splitlines():
        assert line.strip() in said


def test_the_mended_version_passes_and_so_do_the_programs_of_the_how_to_pages(folder):
    for file in [*(HOW_TO / "testing").glob("*.py"), HOW_TO / "finalizers.py"]:
        shutil.copy(file, folder.path)
    folder.runpytest_subprocess(*ARGUMENTS).assert_outcomes(passed=10)


def test_the_mended_version_passes_on_real_programs(folder, monkeypatch):
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(BINARIES or servers.control_plane_binaries()))
    folder.runpytest_subprocess(*ARGUMENTS, "--control-plane=binaries").assert_outcomes(passed=5)


def test_the_two_versions_differ_in_what_the_page_says():
    first, mended = (
        (TUTORIAL / "testing" / f"{name}.py").read_text().splitlines() for name in ("accounts_first", "accounts")
    )
    assert [line for line in first if line not in mended] == [
        "from uuid import uuid4",
        "    number = await bank.open(account.spec.owner, reference=uuid4().hex)",
    ]
    (line,) = [line for line in mended if line not in first]
    assert f"```python\n{line}\n```" in PAGE

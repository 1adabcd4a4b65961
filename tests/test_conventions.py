"""Every numbered statement of the API conventions, of structural schemas and of definitions is held by a test of ours.

The list is written down here, so that a statement whose only test is deleted is missed. A test cites in its docstring,
its name (`test_s12_…`) or beside a case. What is not in the list is not ours: KS-1 and KS-5 are for whoever reads, the
order of versions (R-11) is the server's (`tests/conformance`, T-03), and costs of rules (L-02) are not estimated.
"""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROOMS = ("statemachine", "manifests", "controller", "operators")
STATEMENTS = (
    *(f"C-{number:02}" for number in (*range(1, 8), *range(10, 17), *range(20, 28))),
    *(f"CA-{number}" for number in range(1, 6)),
    *(f"KS-{number}" for number in range(2, 5)),
    *(f"S-{number:02}" for number in range(1, 20)),
    *(f"R-{number:02}" for number in range(1, 11)),
    *(f"L-{number:02}" for number in (1, 3, 4)),
)
_WRITTEN = re.compile(r"\b([A-Z]{1,2}-\d+)(?: to \1?([A-Z]{1,2}-\d+))?")
_NAMED = re.compile(r"\bdef test_([a-z]{1,2})(\d{1,2})_")


def cited_in(text):
    found = {f"{letters.upper()}-{number}" for letters, number in _NAMED.findall(text)}
    for first, last in _WRITTEN.findall(text):
        found.add(first)
        letters, _, number = first.partition("-")
        if last.startswith(f"{letters}-"):
            digits = len(number)
            found |= {f"{letters}-{one:0{digits}}" for one in range(int(number), int(last.partition("-")[2]) + 1)}
    return found


@pytest.fixture(scope="module")
def cited():
    files = [path for room in ROOMS for path in sorted((TESTS / room).rglob("test_*.py"))]
    return set().union(*(cited_in(path.read_text()) for path in files))


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_test_cites(cited, statement):
    assert statement in cited, f"no test of {', '.join(ROOMS)} cites {statement}"


def test_ids_are_found_in_every_way_that_tests_write_them():
    assert cited_in('"""KS-2 to KS-4, C-07."""\n    ("x", "(S-15)")') == {"KS-2", "KS-3", "KS-4", "C-07", "S-15"}
    assert cited_in("async def test_s12_an_object(): ...") == {"S-12"}

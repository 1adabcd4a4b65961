"""Every numbered statement of how a controller library behaves, and every scenario, is cited by a test that holds it.

The list is written down here, so that a statement whose only test is deleted or renamed is missed. Whether a test holds
what it cites is for its reader to see; the ids stand in the docstrings of tests, classes and modules.
"""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
ROOMS = ("controller", "informers")

STATEMENTS = tuple(
    f"{letter}{number}"
    for letter, last in {"Q": 23, "C": 20, "P": 14, "F": 11, "L": 16, "M": 10, "E": 7}.items()
    for number in range(1, last + 1)
)
SCENARIOS = tuple(f"scenario {number}" for number in (*range(1, 16), *range(37, 58)))

_STATEMENT = re.compile(r"\b([QCPFLME]\d+)\b")
_SCENARIO = re.compile(r"\b[Ss]cenarios? (\d+(?:(?:, | and )\d+)*)")


def citations():
    """By id, the tests and modules of tests that name it."""
    found = defaultdict(set)
    for room in ROOMS:
        for path in sorted((TESTS / room).glob("test_*.py")):
            if path == Path(__file__):
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                    for cited in cited_in(ast.get_docstring(node) or ""):
                        found[cited].add(f"{path.name}: {getattr(node, 'name', 'module')}")
    return found


def cited_in(text):
    numbers = (number for group in _SCENARIO.findall(text) for number in re.findall(r"\d+", group))
    return {*_STATEMENT.findall(text), *(f"scenario {number}" for number in numbers)}


CITED = citations()


@pytest.mark.parametrize("statement", [*STATEMENTS, *SCENARIOS])
def test_a_test_cites(statement):
    assert CITED[statement], f"no test of {' or '.join(ROOMS)} cites {statement} in its docstring"


def test_ids_are_found_in_every_way_that_docstrings_write_them():
    assert cited_in("Q1, scenarios 1 and 4.") == {"Q1", "scenario 1", "scenario 4"}
    assert cited_in("F9, R26: scenario 36, and no M105x") == {"F9", "scenario 36"}

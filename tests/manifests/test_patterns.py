"""Which patterns both engines read alike; a real API server confirms the verdicts."""

import pytest
from servers import open_server

from windlass.informers import Api, Client, Cluster
from windlass.informers.builtins import CustomResourceDefinition
from windlass.informers.errors import Invalid
from windlass.informers.requests import WriteOptions
from windlass.manifests.patterns import re2_fault

GOOD = [
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
    r"^(?:a|b)+?$",
    r"(?P<year>\d{4})-\d{2}",
    r"(?i)abc(?s:.)(?i-s:x)",
    r"[]a]+[^]b]*",
    r"\(\?=a\+\+\)",
    r"[(?=a*+]",
    r"a\++b{2}c{2,}d{2,1000}",
    r"\A\w+\s\b\x41\t\.",
    "é{1}",
    "a{x}b{",
    r"\\1",
    r"\0",
    "",
]

# Go accepts this one, as five characters that stand for themselves.
BUT_READ_OTHERWISE = "a{,3}"

BAD = [
    pytest.param("a(?=b)", "look-ahead", id="look-ahead"),
    pytest.param("a(?!b)", "look-ahead", id="negative look-ahead"),
    pytest.param("(?<=a)b", "look-behind", id="look-behind"),
    pytest.param("(?<!a)b", "look-behind", id="negative look-behind"),
    pytest.param(r"(a)\1", "back-reference", id="numbered back-reference"),
    pytest.param("(?P<x>a)(?P=x)", "back-reference", id="named back-reference"),
    pytest.param("(?>ab)", "atomic group", id="atomic group"),
    pytest.param("(a)?(?(1)b|c)", "conditional", id="conditional"),
    pytest.param("a(?#note)", "comment", id="comment"),
    pytest.param("(?x)a b", "group", id="verbose flag"),
    pytest.param("(?a)a", "group", id="ascii flag"),
    pytest.param("a*+", "possessive", id="possessive star"),
    pytest.param("a{2}+", "possessive", id="possessive repeat"),
    pytest.param(r"a\Z", "write \\$", id="Z"),
    pytest.param(r"\u0041", "write the character", id="u"),
    pytest.param(r"[\b]", "inside brackets", id="backspace"),
    pytest.param("a{1001}", "more than 1000", id="large repeat"),
    pytest.param(BUT_READ_OTHERWISE, "without a lower bound", id="open repeat"),
]

# Python refuses these itself, or warns that it reads them otherwise than Go.
UNREADABLE = ["(", "[", "a**", r"\z", r"\pL", "[[:alpha:]]", "a(?i)b", "(?<name>a)"]


@pytest.mark.parametrize("pattern", GOOD)
def test_a_pattern_that_both_engines_know_has_no_fault(pattern):
    assert re2_fault(pattern) is None


@pytest.mark.parametrize(("pattern", "said"), BAD)
def test_what_go_lacks_is_named_with_its_position(pattern, said):
    assert said.replace("\\", "") in (re2_fault(pattern) or "")
    assert "at position" in re2_fault(pattern)


@pytest.mark.parametrize("pattern", UNREADABLE)
def test_what_python_cannot_read_is_reported_in_pythons_words(pattern):
    assert (re2_fault(pattern) or "").startswith("Python says: ")


def definition(patterns):
    """A definition with one field for each pattern."""
    fields = {f"field{index}": {"type": "string", "pattern": pattern} for index, pattern in enumerate(patterns)}
    names = {"kind": "Pattern", "listKind": "PatternList", "plural": "patterns", "singular": "pattern"}
    schema = {"openAPIV3Schema": {"type": "object", "properties": fields}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "patterns.patterns.example.com"},
        "spec": {
            "group": "patterns.example.com",
            "names": names,
            "scope": "Cluster",
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }


@pytest.mark.realtime
async def test_go_itself_agrees_with_every_verdict():
    async with open_server("kubernetes") as server, Client(Cluster.from_dict(server.kubeconfig())) as client:
        api, dry = Api(client), WriteOptions(dry_run=True)
        await api.create(CustomResourceDefinition, definition([*GOOD, BUT_READ_OTHERWISE]), options=dry)
        for case in BAD:
            pattern = case.values[0]
            if pattern != BUT_READ_OTHERWISE:
                with pytest.raises(Invalid, match="pattern"):
                    await api.create(CustomResourceDefinition, definition([pattern]), options=dry)

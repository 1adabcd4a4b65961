"""The definition of one rich kind, to the letter; and what YAML must survive."""

import copy
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import attrs
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from windlass.informers.typed import CustomResource, JsonName, Rest
from windlass.manifests import (
    Atomic,
    Column,
    Description,
    EmbeddedResource,
    ExclusiveMinimum,
    Format,
    Immutable,
    IntOrString,
    InvalidKind,
    ListMap,
    ListSet,
    Maximum,
    MaxItems,
    MaxLength,
    MaxProperties,
    Minimum,
    MinItems,
    MinLength,
    MultipleOf,
    Nullable,
    Pattern,
    Rule,
    crd,
    kind,
    marked,
    to_yaml,
)
from windlass.statemachine import Condition

GOLDEN = Path(__file__).with_name("golden") / "windlass.example.com_richdatabases.yaml"


class Tier(StrEnum):
    GOLD = "gold"
    SILVER = "silver"


@attrs.frozen
class Port:
    """A port that clients connect to."""

    name: Annotated[str, MinLength(1), MaxLength(15), Pattern("^[a-z]([-a-z0-9]*[a-z0-9])?$")]
    target: IntOrString = 5432
    protocol: Literal["TCP", "UDP"] = "TCP"


@marked(Rule("self.requested <= self.limit", message="more is requested than allowed"))
@attrs.frozen
class Storage:
    """Room on disk, in gibibytes."""

    requested: Annotated[int, Minimum(1), MultipleOf(2)] = 2
    limit: Annotated[int, Minimum(1)] = 100
    classes: Annotated[tuple[Annotated[str, MaxLength(63)], ...], ListSet(), MaxItems(8)] = ()


@attrs.frozen
class Tuning:
    """Settings of the database itself: those it knows, and any other."""

    cache_ratio: Annotated[float, ExclusiveMinimum(0), Maximum(1)] = 0.5
    others: Annotated[Mapping[str, Any], Rest()] = attrs.field(factory=dict)


@attrs.frozen
class DatabaseSpec:
    """What is wanted."""

    version: Annotated[Literal["14", "15", "16"], Immutable(), Description("The major version.")]
    replicas: Annotated[int, Minimum(1), Maximum(10), Format("int32")] = 1
    tier: Tier = Tier.SILVER
    ports: Annotated[tuple[Port, ...], ListMap("name"), MinItems(1), MaxItems(16)] = (Port("sql"),)
    storage: Storage = Storage()
    tuning: Tuning | None = None
    labels: Annotated[dict[str, Annotated[str, MaxLength(63)]], MaxProperties(4)] = attrs.Factory(dict)
    node_ip: Annotated[str | None, JsonName("nodeIP"), Format("ipv4")] = None
    paused_until: Annotated[datetime | None, Nullable()] = None
    on_failure: Literal["Stop", "Retry"] | None = None
    endpoint: Annotated[tuple[str, ...], Atomic()] = ()
    sidecar: Annotated[Any, EmbeddedResource(), Description("A pod to run beside each replica.")] = None
    notes: Any = None
    y: bool = False


@attrs.frozen
class DatabaseStatus:
    """What was seen."""

    phase: str = "Pending"
    ready_replicas: Annotated[int, Minimum(0)] = 0
    conditions: tuple[Condition, ...] = ()


@kind(
    "windlass.example.com/v1",
    short_names=("rdb",),
    categories=("data",),
    columns=(
        Column("Version", ".spec.version"),
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status', description="Whether it serves"),
        Column("Replicas", ".spec.replicas", "integer", format="int32", priority=1),
        Column("Age", ".metadata.creationTimestamp", "date"),
    ),
)
@attrs.frozen
class RichDatabase(CustomResource):
    """A database: one primary, some replicas."""

    spec: DatabaseSpec
    status: DatabaseStatus = DatabaseStatus()


def test_the_definition_is_the_golden_one():
    # To renew it after a wanted change: WINDLASS_GOLDEN=write, then read the difference.
    text = to_yaml([crd(RichDatabase)])
    if os.environ.get("WINDLASS_GOLDEN") == "write":
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text)

    assert text == GOLDEN.read_text()


def test_the_yaml_holds_the_definition_and_nothing_else():
    assert yaml.safe_load(to_yaml([crd(RichDatabase)])) == crd(RichDatabase)


def test_a_definition_belongs_to_its_caller():
    mine = crd(RichDatabase)
    untouched = copy.deepcopy(mine)
    mine["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"].clear()

    assert crd(RichDatabase) == untouched


def test_s05_s07_nothing_the_server_does_not_know_is_written():
    text = to_yaml([crd(RichDatabase)])

    for word in ("$ref", "const:", "oneOf", "additionalProperties: false", "uniqueItems", "title:", "type: 'null'"):
        assert word not in text


def test_r02_one_version_is_served_and_stored():
    (version,) = crd(RichDatabase)["spec"]["versions"]

    assert (version["name"], version["served"], version["storage"]) == ("v1", True, True)


def test_a_kind_without_status_and_columns_is_defined_without_them():
    @kind("example.com/v1", scope="Cluster")
    @attrs.frozen
    class Note(CustomResource):
        text: str = ""

    definition = crd(Note)

    assert definition["spec"]["scope"] == "Cluster"
    assert definition["spec"]["names"] == {
        "kind": "Note",
        "listKind": "NoteList",
        "plural": "notes",
        "singular": "note",
    }
    assert set(definition["spec"]["versions"][0]) == {"name", "served", "storage", "schema"}


def test_a_class_that_is_no_kind_has_no_definition():
    with pytest.raises(InvalidKind, match="CustomResource: a kind is registered"):
        crd(CustomResource)


# --- YAML -------------------------------------------------------------------------------------------------------------


def test_the_yaml_says_where_it_comes_from():
    assert to_yaml([]).startswith("# Generated by `windlass crd generate`")


def test_documents_are_separated_and_sorted_within():
    assert to_yaml([{"b": 1, "a": [2]}, {}]).partition("\n")[2] == "---\na:\n- 2\nb: 1\n---\n{}\n"


def test_nothing_is_aliased_when_a_part_occurs_twice():
    part = {"type": "string"}

    assert "&" not in to_yaml([{"a": part, "b": part}])


@pytest.mark.parametrize(
    "text",
    [
        "y",
        "N",
        "yes",
        "on",
        "null",
        "~",
        "1e3",
        "0x1f",
        "0o7",
        "1_000",
        "1:20",
        "-1",
        ".5",
        "+1",
        "=",
        "2026-01-01",
        "a: b",
        "# a",
        "",
    ],
)
def test_texts_that_some_parser_takes_for_something_else_are_quoted(text):
    body = to_yaml([{"key": text}]).partition("---\n")[2]

    assert body in (f"key: '{text}'\n", f'key: "{text}"\n')


def test_texts_of_several_lines_stay_readable():
    assert "key: |-\n  one\n  two\n" in to_yaml([{"key": "one\ntwo"}])


texts = st.text(max_size=12)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)
documents = st.dictionaries(texts, trees, max_size=4)


@given(documents)
def test_any_document_survives_its_yaml(document):
    assert yaml.safe_load(to_yaml([document])) == document


@given(documents, st.randoms())
def test_the_order_of_making_leaves_no_trace(document, rng):
    items = list(document.items())
    rng.shuffle(items)

    assert to_yaml([dict(items)]) == to_yaml([document])


@pytest.mark.realtime
def test_other_processes_with_other_hash_seeds_write_the_same_bytes():
    program = (
        "import importlib.util, sys; spec = importlib.util.spec_from_file_location('rich', sys.argv[1]); "
        "rich = importlib.util.module_from_spec(spec); sys.modules['rich'] = rich; spec.loader.exec_module(rich); "
        "sys.stdout.write(rich.to_yaml([rich.crd(rich.RichDatabase)]))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", program, __file__],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "77")
    }

    assert texts == {to_yaml([crd(RichDatabase)])}

"""Classes that nobody thought of: their schemas are structural, their instances valid, their definitions accepted.

The rules of structural schemas are written down here a second time, from the reference (S-01 to S-17), without a glance
at the code under test.
"""

import asyncio
import contextlib
import functools
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import attrs
import pytest
from bad_values import mutants, seeded
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from servers import open_server

from windlass.informers import Api, Client, Cluster, CustomResource, Namespace, Resource, structure, unstructure
from windlass.informers.builtins import CustomResourceDefinition
from windlass.informers.converter import CONVERTER
from windlass.informers.errors import AlreadyExists, ApiError, BadRequest, Invalid, NotFound
from windlass.informers.requests import WriteOptions
from windlass.manifests import (
    AllOf,
    AnyOf,
    Description,
    ExactlyOneOf,
    ExclusiveMinimum,
    Format,
    Immutable,
    IntOrString,
    ListMap,
    ListSet,
    Maximum,
    MaxItems,
    MaxLength,
    Minimum,
    MultipleOf,
    Not,
    Nullable,
    Pattern,
    Quantity,
    Rest,
    Rule,
    Values,
    crd,
    faults,
    kind,
    marked,
    schema_of,
)
from windlass.manifests.defaulting import completed
from windlass.statemachine import Condition

# --- the rules, a second time -----------------------------------------------------------------------------------------

KNOWN = {
    *("type", "description", "format", "default", "nullable", "enum", "properties", "required", "items"),
    *("allOf", "anyOf", "oneOf", "not"),
    *("additionalProperties", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minLength", "maxLength", "pattern", "minItems", "maxItems", "minProperties", "maxProperties"),
    *("x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type", "x-kubernetes-validations"),
    *("x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"),
}
TYPES = {"string", "integer", "number", "boolean", "array", "object"}
INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]


def violations(schema):
    """The rules a whole schema breaks."""
    found = list(broken(schema, "$"))
    if schema.get("type") != "object":
        found.append("S-02 $")
    if schema.get("nullable"):
        found.append("S-09 $")
    if "additionalProperties" in schema:
        found.append("S-04 $")
    return found


def broken(node, path):
    kind_of = node.get("type")
    free = node.get("x-kubernetes-int-or-string") or node.get("x-kubernetes-preserve-unknown-fields")
    rules = {
        "S-01": kind_of in TYPES or free,
        "S-03": kind_of != "array" or isinstance(node.get("items"), dict),
        "S-04": not ("properties" in node and "additionalProperties" in node),
        "S-05": node.get("anyOf") == INT_OR_STRING or all(bare(part) for part in combined(node)),
        "S-07": set(node) <= KNOWN,
        "S-13": node.get("x-kubernetes-preserve-unknown-fields", True) is True,
        "S-14": not node.get("x-kubernetes-int-or-string")
        or not ({"type", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"} & set(node)),
        "S-17 list": kind_of == "array"
        or not ({"items", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"} & set(node)),
        "S-17 keys": ("x-kubernetes-list-map-keys" in node) == (node.get("x-kubernetes-list-type") == "map"),
        "S-17 map": "x-kubernetes-map-type" not in node
        or (kind_of == "object" and node["x-kubernetes-map-type"] in ("atomic", "granular")),
        "required": set(node.get("required", ())) <= set(node.get("properties", ())),
        "S-15": node.get("x-kubernetes-list-type") != "map" or keyed(node),
        "S-16": node.get("x-kubernetes-list-type") != "set" or settable(node.get("items", {})),
    }
    yield from (f"{rule} {path}" for rule, kept in rules.items() if not kept)
    for name, inner in node.get("properties", {}).items():
        yield from broken(inner, f"{path}.{name}")
    for keyword in ("items", "additionalProperties"):
        if isinstance(node.get(keyword), dict):
            yield from broken(node[keyword], f"{path}.{keyword}")


def combined(node):
    """What stands inside of combinations, at any depth."""
    parts = [part for keyword in ("allOf", "anyOf", "oneOf") for part in node.get(keyword, ())]
    parts += [node["not"]] if "not" in node else []
    return parts + [inner for part in parts for inner in combined(part)]


def bare(part):
    """Whether a part of a combination checks values, and does nothing else."""
    told = {"type", "default", "title", "description", "nullable", "additionalProperties", "items"}
    return not told & set(part) and not any(name.startswith("x-kubernetes") for name in part)


def keyed(node):
    items, keys = node["items"], node["x-kubernetes-list-map-keys"]
    fields = items.get("properties", {})
    return (
        items.get("type") == "object"
        and len(set(keys)) == len(keys) > 0
        and all(fields.get(key, {}).get("type") in TYPES - {"array", "object"} for key in keys)
        and all(key in items.get("required", ()) or "default" in fields[key] for key in keys)
        and not any(fields[key].get("nullable") for key in keys)
    )


def settable(items):
    if items.get("nullable"):
        return False
    if items.get("type") == "object":
        return items.get("x-kubernetes-map-type") == "atomic"
    return items.get("type") != "array" or items.get("x-kubernetes-list-type", "atomic") == "atomic"


@pytest.mark.parametrize(
    ("node", "rule"),
    [
        ({"type": "string"}, "S-02"),
        ({"type": "object", "nullable": True}, "S-09"),
        ({"type": "object", "properties": {"a": {}}}, "S-01"),
        ({"type": "object", "properties": {"a": {"type": "array"}}}, "S-03"),
        ({"type": "object", "properties": {"a": {"type": "string", "const": "b"}}}, "S-07"),
        ({"type": "object", "properties": {"a": {"type": "string", "not": {"type": "string"}}}}, "S-05"),
        ({"type": "object", "properties": {"a": {"type": "string", "x-kubernetes-list-type": "set"}}}, "S-17"),
    ],
)
def test_the_rules_themselves_find_what_is_wrong(node, rule):
    assert any(found.startswith(rule) for found in violations(node))


# --- classes ----------------------------------------------------------------------------------------------------------

LETTERS = "abcXYZ019"
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 - the zone follows
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)
json_values = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.text(LETTERS, max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(LETTERS, max_size=2), inner, max_size=2),
    max_leaves=3,
)
# A type, and the values it holds.
SCALARS = [
    (str, st.text(LETTERS, max_size=4)),
    (Annotated[str, MaxLength(3), Description("Short.")], st.text(LETTERS, max_size=3)),
    (Annotated[str, Pattern("^[a-c]+$")], st.text("abc", min_size=1, max_size=4)),
    (Annotated[str, Format("uuid")], st.uuids().map(str)),
    (Annotated[str, AllOf(Pattern("^a"), Pattern("b$")), Not(Values("aab"))], st.sampled_from(["ab", "acb"])),
    (timedelta, st.integers(-(10**6), 10**6).map(lambda seconds: timedelta(seconds=seconds))),
    (Literal["a", "b"], st.sampled_from(["a", "b"])),
    (Literal[1, 2], st.sampled_from([1, 2])),
    (int, st.integers(-(2**31), 2**31)),
    (Annotated[int, Minimum(0), Maximum(20), MultipleOf(5)], st.sampled_from([0, 5, 10, 15, 20])),
]
OTHERS = [
    (bool, st.booleans()),
    (Annotated[float, ExclusiveMinimum(0)], st.floats(0.5, 100)),
    (IntOrString, st.integers(0, 99) | st.text(LETTERS, max_size=3)),
    (datetime, moments),
    (Any, json_values),
    (Quantity, st.sampled_from(["500m", "2Gi", "1", "1.5e3"]).map(Quantity)),
    (bytes, st.binary(min_size=1, max_size=4)),
    (Annotated[float, AnyOf(Maximum(1), Minimum(8)), Not(Values(0.5))], st.sampled_from([0.25, 9.5])),
    (Annotated[str, Immutable()], st.text(LETTERS, max_size=3)),
]


@st.composite
def shapes(draw, depth):
    """A type and a strategy of its values, nested at most ``depth`` deep."""
    nested = ["list", "set", "map", "nulls", "class", "keyed"] if depth else []
    how = draw(st.sampled_from(["scalar", "other", *nested]))
    if how in ("scalar", "other"):
        return draw(st.sampled_from(SCALARS if how == "scalar" else OTHERS))
    if how in ("class", "keyed"):
        cls, values = draw(classes(depth - 1, key=how == "keyed"))
        several = st.lists(values, max_size=3, unique_by=lambda value: value.name).map(tuple)
        return (cls, values) if how == "class" else (Annotated[tuple[cls, ...], ListMap("name")], several)
    if how == "set":
        item, values = draw(st.sampled_from(SCALARS))
        return Annotated[tuple[item, ...], ListSet(), MaxItems(5)], st.lists(values, max_size=3, unique=True).map(tuple)
    if how == "nulls":
        return list[Annotated[str | None, Nullable()]], st.lists(st.sampled_from(["a", None]), max_size=3)
    item, values = draw(shapes(depth - 1).filter(lambda shape: not transitional(shape[0])))
    if how == "list":
        return tuple[item, ...], st.lists(values, max_size=2).map(tuple)
    return dict[str, item], st.dictionaries(st.text(LETTERS, max_size=3), values, max_size=2)


def transitional(annotation):
    """Whether a rule inside compares with an old value, which the items of a plain list do not have."""
    return "oldSelf" in str(schema_of(attrs.make_class("Probe", {"probe": attrs.field(type=annotation)})))


def without_nulls(value):
    return "null" not in json.dumps(CONVERTER.unstructure(value))


@st.composite
def classes(draw, depth, *, key=False):
    """An attrs class, and a strategy of its instances."""
    fields, values = {}, {}
    if key:
        fields["name"], values["name"] = attrs.field(type=str), st.text(LETTERS, min_size=1, max_size=4)
    for name in draw(st.lists(st.sampled_from(["size", "max_count", "y", "kind", "from_"]), unique=True, max_size=4)):
        annotation, held = draw(shapes(depth))
        need = draw(st.sampled_from(["required", "default", "optional"]))
        if need == "required":
            fields[name] = attrs.field(type=annotation)
        elif need == "default":
            fields[name] = attrs.field(type=annotation, default=draw(held.filter(without_nulls)))
        else:
            fields[name], held = attrs.field(type=annotation | None, default=None), st.none() | held
        values[name] = held
    if draw(st.integers(0, 3)) == 0:
        fields["rest"] = attrs.field(type=Annotated[Mapping[str, Any], Rest()], factory=dict)
        values["rest"] = st.dictionaries(st.sampled_from(["other", "more"]), json_values, max_size=2)
    absent = draw(st.integers(0, 3)) == 0
    if absent:
        fields |= {name: attrs.field(type=str | None, default=None) for name in ("left", "right")}
    cls = attrs.make_class("Part", fields, frozen=True, kw_only=True)
    cls.__doc__ = draw(st.sampled_from([None, "A part.", "Two\n\nparagraphs: 'quoted' # and not"]))
    if draw(st.booleans()):
        cls = marked(*draw(st.sampled_from([(Rule("true", message="fine"),), ()])))(cls)
    if not absent:
        return cls, st.builds(cls, **values)
    cls = marked(ExactlyOneOf("left", "right"))(cls)
    return cls, st.builds(cls, **values, left=st.just("l")) | st.builds(cls, **values, right=st.just("r"))


@st.composite
def kinds(draw):
    """A registered kind with a generated spec and status."""
    spec, values = draw(classes(2))
    status, _ = draw(classes(1))
    fields = {
        "spec": attrs.field(type=spec),
        "status": attrs.field(type=status | None, default=None),
        "conditions": attrs.field(type=tuple[Condition, ...], default=()),
    }
    cls = attrs.make_class("Generated", fields, bases=(CustomResource,), frozen=True, kw_only=True)
    return kind("generated.example.com/v1")(cls), values


THOROUGH = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@THOROUGH
@given(kinds())
def test_every_schema_is_structural(generated):
    cls, _ = generated

    assert violations(schema_of(cls)) == []


@THOROUGH
@given(st.data())
def test_every_instance_is_valid_and_survives_the_trip(data):
    cls, specs = data.draw(kinds())
    instance = cls(spec=data.draw(specs))
    wire = json.loads(json.dumps(unstructure(instance)))

    assert faults(wire["spec"], schema_of(cls)["properties"]["spec"]) == []
    assert structure(wire, cls) == instance


@THOROUGH
@given(kinds())
def test_no_default_stands_under_status_and_all_defaults_are_valid(generated):
    cls, _ = generated
    properties = schema_of(cls)["properties"]

    assert not re.search("'default':", str(properties["status"]))
    for node in nodes(properties["spec"]):
        if "default" in node:
            assert faults(node["default"], {name: value for name, value in node.items() if name != "default"}) == []


def nodes(node):
    yield node
    for inner in [*node.get("properties", {}).values(), node.get("items"), node.get("additionalProperties")]:
        if isinstance(inner, dict):
            yield from nodes(inner)


def definitions(count):
    """The same definitions in every run, each under a name of its own."""
    found = []

    @settings(THOROUGH, max_examples=count, derandomize=True, database=None, phases=[Phase.generate])
    @given(kinds())
    def collect(generated):
        definition = crd(generated[0])
        plural = f"generated{len(found)}s"
        definition["metadata"]["name"] = f"{plural}.generated.example.com"
        definition["spec"]["names"]["plural"] = plural
        found.append(definition)

    collect()
    return found


@pytest.mark.realtime
@pytest.mark.parametrize("server_kind", ["embedded", "kubernetes"])
async def test_servers_accept_every_definition(server_kind):
    refused = []
    async with (
        open_server(server_kind) as server,
        Client(Cluster.from_dict(server.kubeconfig())) as client,
    ):
        api = Api(client)
        for definition in definitions(60):
            try:
                await api.create(CustomResourceDefinition, definition, options=WriteOptions(dry_run=True))
            except ApiError as refusal:
                refused.append(str(refusal))

    assert refused == []


# --- one verdict on every value ---------------------------------------------------------------------------------------

VALUES = Resource("generated.example.com", "v1", "Verdict", "verdicts")


@functools.cache
def judged(count, *, each):
    """Classes, their schemas, and for each some values: instances, and what is near to them."""
    found = []

    @settings(THOROUGH, max_examples=count, derandomize=True, database=None, phases=[Phase.generate])
    @given(st.data())
    def collect(data):
        cls, values = data.draw(classes(2))
        good = [json.loads(json.dumps(CONVERTER.unstructure(data.draw(values)))) for _ in range(2)]
        draw = seeded(len(found))
        bad = [body["value"] for one in good for body in mutants({"value": one}, draw, each) if "value" in body]
        found.append((cls, schema_of(cls), good + bad))

    collect()
    return found


def test_what_our_own_check_takes_can_be_read_and_stays_what_it_is():
    taken = 0
    for cls, schema, values in judged(50, each=6):
        for value in values:
            full = completed(value, schema)
            if value is None or faults(full, schema, refuse_unknown=False) or lists_for_texts(full, schema):
                continue
            taken += 1
            instance = CONVERTER.structure(full, cls)
            assert CONVERTER.structure(CONVERTER.unstructure(instance), cls) == instance
    assert taken >= 200


def lists_for_texts(value, schema):
    """Whether a list stands where a text with a format should: servers look past that."""
    inner = {**dict.fromkeys(value if isinstance(value, dict) else (), schema.get("additionalProperties"))}
    inner |= schema.get("properties", {})
    if isinstance(value, list):
        return "format" in schema or any(lists_for_texts(one, schema.get("items", {})) for one in value)
    return isinstance(value, dict) and any(lists_for_texts(one, inner.get(name) or {}) for name, one in value.items())


@pytest.mark.realtime(limit=120)
@pytest.mark.parametrize("server_kind", ["embedded", "kubernetes"])
async def test_servers_and_our_own_check_agree_on_every_value_of_every_class(server_kind):
    cases = judged(50, each=6)
    # One definition for all: to establish fifty takes a real server half a minute.
    fields = {f"class{number}": schema for number, (_, schema, _) in enumerate(cases)}
    disagreed, verdicts = [], []
    async with open_server(server_kind) as server, Client(Cluster.from_dict(server.kubeconfig())) as client:
        api = Api(client)
        await api.create(CustomResourceDefinition, definition_of(fields))
        await served(api, VALUES)
        with contextlib.suppress(AlreadyExists):
            await api.create(Namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "verdicts"}})
        for number, (_, schema, values) in enumerate(cases):
            bodies = [{f"class{number}": value} for value in values]
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(refusal_of(api, body)) for body in bodies]
            for value, task in zip(values, tasks, strict=True):
                verdicts.append(bool(task.result()))
                ours = faults(completed(value, schema), schema, refuse_unknown=False) if value is not None else []
                if bool(ours) != bool(task.result()):
                    disagreed.append((schema, value, ours, task.result()))

    assert disagreed == [], "\n".join(map(str, disagreed))
    assert verdicts.count(True) >= 150
    assert verdicts.count(False) >= 150


def definition_of(fields):
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": fields}}}
    names = {"kind": VALUES.kind, "plural": VALUES.plural, "singular": "verdict", "listKind": "VerdictList"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{VALUES.plural}.{VALUES.group}"},
        "spec": {"group": VALUES.group, "names": names, "scope": "Namespaced", "versions": [version]},
    }


async def served(api, resource):
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(NotFound):
                await api.list(resource)
                return
            await asyncio.sleep(0.1)


async def refusal_of(api, spec):
    body = {"apiVersion": VALUES.api_version, "kind": VALUES.kind, "metadata": {"name": "x"}, "spec": spec}
    try:
        await api.create(VALUES, body, namespace="verdicts", options=WriteOptions(dry_run=True))
    except (BadRequest, Invalid) as refusal:
        return str(refusal)
    return ""

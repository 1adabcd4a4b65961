"""Whatever stands in the place of a part of a definition, it is told, or the definition can be compared."""

import copy
import random
from datetime import date

import pytest
from realistic_kinds import DatabaseCluster, InferenceService, NodeRemediation
from seeds import announced_seed

from windlass.manifests import changes, crd
from windlass.manifests.shapes import shape_faults
from windlass.operators.training import TrainingJob

KINDS = (DatabaseCluster, InferenceService, NodeRemediation, TrainingJob)
STRANGE = (
    *(None, True, 5, -1.5, "x", [], {}, [None], [5], ["x", {}], {"type": 5}, {5: "x"}, {"x": {"y": [{}]}}),
    date(2026, 1, 1),
)


@pytest.mark.parametrize("cls", KINDS)
def test_what_is_generated_has_the_shape(cls):
    assert shape_faults(crd(cls)) == []


def places(value, path=()):
    """Each place within the definition's spec, as the keys that lead there."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield (*path, name)
        yield from places(inner, (*path, name))


def replaced(definition, path, value):
    changed = copy.deepcopy(definition)
    here = changed
    for name in path[:-1]:
        here = here[name]
    here[path[-1]] = value
    return changed


def needed(path):
    """Parts that `windlass crd` has asked for by now, and that every definition has."""
    return path[:1] == ("spec",) and path not in [("spec",), ("spec", "names"), ("spec", "versions")]


@pytest.mark.parametrize("cls", KINDS)
def test_a_definition_in_the_shape_can_be_compared_whatever_is_wrong_with_it(cls):
    draw = random.Random(announced_seed())
    definition = crd(cls)
    every = [path for path in places(definition) if needed(path)]
    refused = 0
    for path in [*every, *draw.choices(every, k=300)]:
        changed = replaced(definition, path, draw.choice(STRANGE))
        faults = shape_faults(changed)
        refused += bool(faults)
        if not faults:
            changes(changed, definition)
            changes(definition, changed)

    assert refused > len(every) / 2


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("names", "plural"), 5, "$.spec.names.plural: expected a string, found 5"),
        (("names", "shortNames"), None, "$.spec.names.shortNames: expected a list, found null"),
        (("versions", 0), {}, "$.spec.versions[0].name: expected a value, found none"),
        (("versions", 0, "served"), "yes", "$.spec.versions[0].served: expected true or false, found 'yes'"),
        (("versions", 0, "subresources"), {5: {}}, "$.spec.versions[0].subresources: expected names that are strings"),
        (("versions", 0, "schema", "openAPIV3Schema", "properties", "spec", "required"), [1],
         "$.spec.versions[0].schema.openAPIV3Schema.properties.spec.required[0]: expected a string, found 1"),
        (("versions", 0, "schema", "openAPIV3Schema", "properties", "spec", "maxProperties"), True,
         ".properties.spec.maxProperties: expected an integer, found true"),
        (("versions", 0, "schema", "openAPIV3Schema", "properties", "spec", "default"), date(2026, 1, 1),
         ".properties.spec.default: expected a value that JSON has, found datetime.date(2026, 1, 1)"),
    ],
)  # fmt: skip
def test_a_wrong_type_is_told_with_its_path(path, value, says):
    (fault,) = shape_faults(replaced(crd(TrainingJob), ("spec", *path), value))

    assert says in fault


def test_a_schema_that_contains_itself_has_an_end():
    definition = crd(TrainingJob)
    spec = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"]["again"] = spec

    assert "expected at most 100 values within each other" in shape_faults(definition)[0]

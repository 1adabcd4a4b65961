"""Which schemas and definitions are taken at all; defaulting and pruning of what passes."""

from conformance.harness import CRDS, FREE, Api, Kind, case, share


def _holder(field):
    return {"type": "object", "properties": {"spec": {"type": "object", "properties": {"f": field}}}}


_AT = "spec.validation.openAPIV3Schema.properties[spec].properties[f]"  # of the only version, or of all alike
_KEYED = {"type": "object", "properties": {"k": {"type": "string"}}}
NOT_STRUCTURAL = {
    "a field without a type": ({"description": "x"}, f"{_AT}.type"),
    "an unknown type": ({"type": "text"}, f"{_AT}.type"),
    "a list without items": ({"type": "array"}, f"{_AT}.items"),
    "properties beside additional ones": (
        {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}},
        f"{_AT}.additionalProperties",
    ),
    "unique items": ({"type": "array", "items": {"type": "string"}, "uniqueItems": True}, f"{_AT}.uniqueItems"),
    "a reference": ({"type": "string", "$ref": "#/x"}, f"{_AT}.$ref"),
    "a type inside anyOf": ({"type": "string", "anyOf": [{"type": "string"}]}, f"{_AT}.anyOf[0].type"),
    "a default inside allOf": (
        {"type": "object", "properties": {"a": {"type": "string"}}, "allOf": [{"properties": {"a": {"default": "x"}}}]},
        f"{_AT}.allOf[0].properties[a].default",
    ),
    "an int-or-string that is free": (
        {"x-kubernetes-int-or-string": True, "x-kubernetes-preserve-unknown-fields": True},
        f"{_AT}.x-kubernetes-preserve-unknown-fields",
    ),
    "an embedded resource that is no object": (
        {"type": "string", "x-kubernetes-embedded-resource": True},
        f"{_AT}.type",
    ),
    "an embedded resource without content": (
        {"type": "object", "x-kubernetes-embedded-resource": True},
        f"{_AT}.properties",
    ),
    "a keyed list without keys": (
        {"type": "array", "x-kubernetes-list-type": "map", "items": _KEYED},
        f"{_AT}.x-kubernetes-list-map-keys",
    ),
    "keys of a list that is not keyed": (
        {"type": "array", "x-kubernetes-list-map-keys": ["k"], "items": _KEYED},
        f"{_AT}.x-kubernetes-list-type",
    ),
    "an unknown list type": (
        {"type": "array", "x-kubernetes-list-type": "bag", "items": {"type": "string"}},
        f"{_AT}.x-kubernetes-list-type",
    ),
    "a list type on a string": ({"type": "string", "x-kubernetes-list-type": "set"}, f"{_AT}.type"),
    "a default of the wrong type": ({"type": "integer", "default": "x"}, f"{_AT}.default"),
    "a default outside its bounds": ({"type": "integer", "minimum": 1, "default": 0}, f"{_AT}.default"),
    "a default with an unknown field": (
        {"type": "object", "properties": {"a": {"type": "string"}}, "default": {"b": 1}},
        f"{_AT}.default",
    ),
    "preserve-unknown-fields that is false": (
        {"type": "object", "x-kubernetes-preserve-unknown-fields": False},
        f"{_AT}.x-kubernetes-preserve-unknown-fields",
    ),
    "a broken pattern": ({"type": "string", "pattern": "("}, f"{_AT}.pattern"),
}


@case("K-03", rows=NOT_STRUCTURAL)
async def test_a_schema_that_is_not_structural_is_refused(api: Api, field, expected):
    answer = await api.create(CRDS, Kind.of("broken", _holder(field)).definition)
    assert answer.code == 422, answer.body
    assert expected in [found for _, found in answer.causes]


STRUCTURAL = {
    "an empty string as default": {"type": "string", "default": ""},
    "null as default of the nullable": {"type": "string", "nullable": True, "default": None},
    "a default of an object": {"type": "object", "properties": {"a": {"type": "string"}}, "default": {"a": "x"}},
    "a nested int-or-string": {
        "x-kubernetes-int-or-string": True,
        "allOf": [{"anyOf": [{"type": "integer"}, {"type": "string"}]}, {"pattern": "^x"}],
    },
    "a map of lists": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
    "free content without a type": {"x-kubernetes-preserve-unknown-fields": True},
}


@case("K-03", rows={name: (field,) for name, field in STRUCTURAL.items()})
async def test_a_structural_schema_is_taken(api: Api, field):
    answer = await api.create(CRDS, Kind.of("fine", _holder(field)).definition, dryRun="All")
    assert answer.code == 201, answer.body


@case("K-03")
async def test_a_root_must_be_an_object(api: Api):
    answer = await api.create(CRDS, Kind.of("broken", {"type": "string"}).definition)
    assert (answer.code, answer.causes[0][1]) == (422, "spec.validation.openAPIV3Schema.type")


@case("K-03")
async def test_the_root_must_know_every_field_that_its_alternatives_name(api: Api):
    schema = {"type": "object", "properties": {"spec": FREE}, "allOf": [{"properties": {"other": {"minimum": 1}}}]}
    answer = await api.create(CRDS, Kind.of("broken", schema).definition)
    place = "spec.validation.openAPIV3Schema.properties[other]"
    assert (answer.code, answer.causes) == (422, [("FieldValueRequired", place)])


@case("K-08", "E-06")
async def test_what_versions_do_not_have_alike_is_reported_with_its_version(api: Api):
    one = {"served": True, "schema": {"openAPIV3Schema": FREE}}
    broken = {"openAPIV3Schema": _holder({"type": "array"})}
    versions = [one | {"name": "v1", "storage": True}, one | {"name": "v2", "storage": False, "schema": broken}]
    answer = await api.create(CRDS, Kind.of("broken", versions=versions).definition)
    place = "spec.versions[1].schema.openAPIV3Schema.properties[spec].properties[f].items"
    assert (answer.code, answer.causes) == (422, [("FieldValueRequired", place)])


@case("K-03")
async def test_a_schema_is_required(api: Api):
    definition = Kind.of("broken", version={"schema": {}}).definition
    answer = await api.create(CRDS, definition)
    assert (answer.code, answer.causes) == (
        422,
        [("FieldValueRequired", "spec.versions[0].schema.openAPIV3Schema")],
    )


DEFINITIONS = {
    "another name": ({"metadata": {"name": "other.own.conformance.dev"}}, "metadata.name"),
    "a group without a dot": ({"spec": {"group": "own"}, "metadata": {"name": "broken.own"}}, "spec.group"),
    "no scope": ({"spec": {"scope": ""}}, "spec.scope"),
    "an unknown scope": ({"spec": {"scope": "Galaxy"}}, "spec.scope"),
    "no kind": ({"spec": {"names": {"plural": "broken"}}}, "spec.names.kind"),
    "an odd kind": ({"spec": {"names": {"plural": "broken", "kind": "A b"}}}, "spec.names.kind"),
    "an odd short name": (
        {"spec": {"names": {"plural": "broken", "kind": "Broken", "shortNames": ["A"]}}},
        "spec.names.shortNames[0]",
    ),
    "no version": ({"spec": {"versions": []}}, "spec.versions"),
}


@case("K-06", "E-06", rows=DEFINITIONS)
async def test_an_odd_definition_is_refused(api: Api, change, expected):
    definition = Kind.of("broken").definition
    body = definition | {"metadata": change.get("metadata", definition["metadata"])}
    body["spec"] = definition["spec"] | change.get("spec", {})
    answer = await api.create(CRDS, body)
    assert (answer.code, expected in [field for _, field in answer.causes]) == (422, True), answer.body


VERSIONS = {
    "two storage versions": ([{"name": "v1"}, {"name": "v2"}], "spec.versions"),
    "no storage version": ([{"name": "v1", "storage": False}], "spec.versions"),
    "a name twice": ([{"name": "v1"}, {"name": "v1", "storage": False}], "spec.versions"),
    "an odd name": ([{"name": "V 1"}], "spec.versions[0].name"),
    "a scale without paths": (
        [{"name": "v1", "subresources": {"scale": {}}}],
        "spec.subresources.scale.specReplicasPath",
    ),
    "a scale outside the spec": (
        [
            {
                "name": "v1",
                "subresources": {"scale": {"specReplicasPath": ".status.x", "statusReplicasPath": ".status.x"}},
            }
        ],
        "spec.subresources.scale.specReplicasPath",
    ),
    "a column without a path": (
        [{"name": "v1", "additionalPrinterColumns": [{"name": "X", "type": "string", "jsonPath": ""}]}],
        "spec.additionalPrinterColumns[0].JSONPath",
    ),
    "a column of an unknown type": (
        [{"name": "v1", "additionalPrinterColumns": [{"name": "X", "type": "text", "jsonPath": ".x"}]}],
        "spec.additionalPrinterColumns[0].type",
    ),
}


@case("K-06", "E-06", rows=VERSIONS)
async def test_odd_versions_are_refused(api: Api, versions, expected):
    base = {"served": True, "storage": True, "schema": {"openAPIV3Schema": FREE}}
    definition = Kind.of("broken", versions=[base | one for one in versions]).definition
    answer = await api.create(CRDS, definition)
    found = [field for _, field in answer.causes]
    assert answer.code == 422, answer.body
    assert expected in found


DEFAULTS = _holder(
    {
        "type": "object",
        "default": {},
        "properties": {
            "text": {"type": "string", "default": "x"},
            "empty": {"type": "string", "default": ""},
            "maybe": {"type": "string", "nullable": True, "default": "y"},
            "list": {
                "type": "array",
                "items": {"type": "object", "properties": {"n": {"type": "integer", "default": 1}}},
            },
            "map": {
                "type": "object",
                "additionalProperties": {"type": "object", "properties": {"n": {"type": "integer", "default": 1}}},
            },
            "bare": {"type": "object", "properties": {"n": {"type": "integer", "default": 1}}},
        },
    }
)
DEFAULTED = Kind.of("defaulteds", DEFAULTS, group="conformance.dev")
FILLED = {"text": "x", "empty": "", "maybe": "y"}


@case(
    "K-02",
    rows={
        "nothing stated": ({}, FILLED),
        "an empty object": ({"f": {}}, FILLED),
        "a value stated": ({"f": {"text": "z"}}, FILLED | {"text": "z"}),
        "null where it may not be": ({"f": {"text": None}}, FILLED),
        "null where it may be": ({"f": {"maybe": None}}, FILLED | {"maybe": None}),
        "in the items of a list": ({"f": {"list": [{}, {"n": 2}]}}, FILLED | {"list": [{"n": 1}, {"n": 2}]}),
        "in the values of a map": ({"f": {"map": {"k": {}}}}, FILLED | {"map": {"k": {"n": 1}}}),
        "inside what is stated": ({"f": {"bare": {}}}, FILLED | {"bare": {"n": 1}}),
        "null for an object": ({"f": None}, FILLED),
        "null without a default": ({"f": {"bare": None}}, FILLED),
        "null in a map": ({"f": {"map": {"k": None}}}, FILLED | {"map": {}}),
    },
)
async def test_defaults_are_filled_in(api: Api, spec, expected):
    kind = await share(api, DEFAULTED)
    made = await api.made(kind.path(), kind.body(spec=spec))
    assert made["spec"]["f"] == expected
    assert (await api.get(f"{kind.path()}/a")).body["spec"]["f"] == expected


@case("K-02")
async def test_a_default_needs_its_parent(api: Api):
    kind = await share(api, DEFAULTED)
    assert "spec" not in await api.made(kind.path(), kind.body())


@case("K-02")
async def test_an_older_object_shows_the_defaults_of_today(api: Api):
    kind = await api.define(_holder({"type": "string"}))
    made = await api.made(kind.path(), kind.body(spec={}))
    version = kind.definition["spec"]["versions"][0]
    change = version | {"schema": {"openAPIV3Schema": _holder({"type": "string", "default": "new"})}}
    await api.merge(kind.crd, {"spec": {"versions": [change]}})

    async def defaulted():
        found = (await api.get(f"{kind.path()}/a")).body
        return found["spec"] == {"f": "new"} and found["metadata"]["resourceVersion"]

    assert await api.until(defaulted) == made["metadata"]["resourceVersion"]
    listed = (await api.get(kind.path())).body["items"]
    assert [item["spec"] for item in listed] == [{"f": "new"}]


_LEAF = {"type": "object", "properties": {"a": {"type": "string"}}}
_FIELDS = {
    "a": {"type": "string"},
    "list": {"type": "array", "items": _LEAF},
    "map": {"type": "object", "additionalProperties": _LEAF},
    "free": FREE,
    "half": FREE | {"properties": {"a": {"type": "object", "properties": {"known": {"type": "string"}}}}},
    "object": {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"spec": FREE}},
}
PRUNING = Kind.of("prunings", _holder({"type": "object", "properties": _FIELDS}), group="conformance.dev")
PRUNED = {
    "an unknown field": ({"f": {"a": "x", "b": 1}}, {"f": {"a": "x"}}),
    "an unknown object": ({"f": {"b": {"c": 1}}}, {"f": {}}),
    "an unknown field beside": ({"g": 1}, {}),
    "unknown fields of items": ({"f": {"list": [{"a": "x", "b": 1}]}}, {"f": {"list": [{"a": "x"}]}}),
    "unknown fields of values": ({"f": {"map": {"k": {"a": "x", "b": 1}}}}, {"f": {"map": {"k": {"a": "x"}}}}),
    "nothing of what is free": ({"f": {"free": {"b": [{"c": 1}]}}}, {"f": {"free": {"b": [{"c": 1}]}}}),
    "what a free field knows": ({"f": {"half": {"a": {"b": 1}, "c": 2}}}, {"f": {"half": {"a": {}, "c": 2}}}),
    "nothing of embedded metadata": (
        {"f": {"object": {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x", "labels": {"a": "b"}}, "no": 1}}},
        {"f": {"object": {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x", "labels": {"a": "b"}}}}},
    ),
}


@case("K-01", rows=PRUNED)
async def test_pruning_takes(api: Api, spec, expected):
    kind = await share(api, PRUNING)
    made = await api.made(kind.path(), kind.body(spec=spec))
    assert made["spec"] == expected


@case("K-01")
async def test_unknown_fields_beside_the_spec_are_pruned(api: Api):
    kind = await api.define(_holder({"type": "string"}))
    made = await api.made(kind.path(), kind.body(spec={"f": "x"}, extra=1))
    assert "extra" not in made


@case("K-01")
async def test_unknown_fields_of_metadata_are_dropped(api: Api):
    kind = await api.define()
    body = kind.body()
    body["metadata"]["odd"] = 1
    assert "odd" not in (await api.made(kind.path(), body))["metadata"]


@case("K-01")
async def test_a_free_root_keeps_everything(api: Api):
    kind = await api.define()
    made = await api.made(kind.path(), kind.body(spec={"a": {"b": [1]}}, extra={"c": "d"}))
    assert (made["spec"], made["extra"]) == ({"a": {"b": [1]}}, {"c": "d"})

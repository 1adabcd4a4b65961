"""Every keyword of a structural schema, on values that keep it and values that break it."""

import re

from conformance.harness import FREE, Api, Kind, case, share

INVALID, MISSING, ODD = "FieldValueInvalid", "FieldValueRequired", "FieldValueNotSupported"
TWICE, TYPE, LONG, MANY = "FieldValueDuplicate", "FieldValueTypeInvalid", "FieldValueTooLong", "FieldValueTooMany"
BEFORE = {TYPE: INVALID, LONG: INVALID, MANY: INVALID}  # before Kubernetes 1.24 these were plainly invalid
_ITEM = {
    "type": "object",
    "required": ["k"],
    "properties": {"k": {"type": "string"}, "p": {"type": "string", "default": "tcp"}, "v": {"type": "integer"}},
}
FIELDS = {
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "string": {"type": "string"},
    "boolean": {"type": "boolean"},
    "array": {"type": "array", "items": {"type": "string"}},
    "object": {"type": "object", "properties": {"a": {"type": "integer"}}},
    "nullable": {"type": "string", "nullable": True},
    "enum": {"type": "string", "enum": ["a", "b"]},
    "enumOfNumbers": {"type": "integer", "enum": [1, 2]},
    "minimum": {"type": "integer", "minimum": 1},
    "maximum": {"type": "integer", "maximum": 5},
    "above": {"type": "integer", "minimum": 1, "exclusiveMinimum": True},
    "below": {"type": "integer", "maximum": 5, "exclusiveMaximum": True},
    "fraction": {"type": "number", "minimum": 0.5},
    "multipleOf": {"type": "integer", "multipleOf": 3},
    "minLength": {"type": "string", "minLength": 2},
    "maxLength": {"type": "string", "maxLength": 3},
    "pattern": {"type": "string", "pattern": "^a+$"},
    "search": {"type": "string", "pattern": "b"},
    "minItems": {"type": "array", "minItems": 1, "items": {"type": "string"}},
    "maxItems": {"type": "array", "maxItems": 2, "items": {"type": "string"}},
    "minProperties": {"type": "object", "minProperties": 1, "additionalProperties": {"type": "string"}},
    "maxProperties": {"type": "object", "maxProperties": 1, "additionalProperties": {"type": "string"}},
    "required": {
        "type": "object",
        "required": ["a", "b"],
        "properties": {"a": {"type": "string"}, "b": {"type": "string", "default": "x"}},
    },
    "additional": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}},
    "allOf": {"type": "integer", "allOf": [{"minimum": 1}, {"maximum": 5}]},
    "anyOf": {"type": "integer", "anyOf": [{"maximum": 1}, {"minimum": 5}]},
    "oneOf": {"type": "integer", "oneOf": [{"minimum": 1}, {"minimum": 5}]},
    "not": {"type": "string", "not": {"enum": ["x"]}},
    "intOrString": {"x-kubernetes-int-or-string": True},
    "narrowed": {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
    "dateTime": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
    "duration": {"type": "string", "format": "duration"},
    "byte": {"type": "string", "format": "byte"},
    "ipv4": {"type": "string", "format": "ipv4"},
    "ipv6": {"type": "string", "format": "ipv6"},
    "cidr": {"type": "string", "format": "cidr"},
    "uuid": {"type": "string", "format": "uuid"},
    "unknownFormat": {"type": "string", "format": "conformance"},
    "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
    "map": {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["k"],
        "items": _ITEM,
    },
    "map2": {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["k", "p"],
        "items": _ITEM,
    },
    "atomic": {"type": "array", "x-kubernetes-list-type": "atomic", "items": {"type": "string"}},
    "free": FREE,
    "embedded": {
        "type": "object",
        "x-kubernetes-embedded-resource": True,
        "x-kubernetes-preserve-unknown-fields": True,
    },
    "deep": {
        "type": "array",
        "items": {"type": "object", "properties": {"n": {"type": "array", "items": {"type": "integer"}}}},
    },
}
CATALOGUE = Kind.of(
    "catalogues",
    {"type": "object", "properties": {"spec": {"type": "object", "properties": FIELDS}}},
    group="conformance.dev",
)
OBJECT = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}

ACCEPTED = {
    "an integer": ("integer", 1),
    "a whole number for an integer": ("integer", 3.0),
    "an integer for a number": ("number", 1),
    "a negative number": ("number", -1.5),
    "an empty string": ("string", ""),
    "an empty list": ("array", []),
    "an empty object": ("object", {}),
    "null where it may be": ("nullable", None),
    "a choice": ("enum", "a"),
    "a choice of numbers": ("enumOfNumbers", 2),
    "the minimum": ("minimum", 1),
    "the maximum": ("maximum", 5),
    "more than an exclusive minimum": ("above", 2),
    "less than an exclusive maximum": ("below", 4),
    "a multiple": ("multipleOf", 9),
    "enough characters": ("minLength", "ab"),
    "characters, not bytes, up to the maximum": ("maxLength", "äöü"),
    "a match": ("pattern", "aaa"),
    "a match somewhere inside": ("search", "abc"),
    "enough items": ("minItems", ["a"]),
    "few enough items": ("maxItems", ["a", "b"]),
    "what is required, one part of it by default": ("required", {"a": "x"}),
    "values of a map": ("additional", {"any": 1, "key": 2}),
    "all of the parts": ("allOf", 3),
    "any of the parts": ("anyOf", 7),
    "exactly one of the parts": ("oneOf", 3),
    "not the forbidden": ("not", "y"),
    "an integer for an int-or-string": ("intOrString", 80),
    "a string for an int-or-string": ("intOrString", "http"),
    "a string for a narrowed int-or-string": ("narrowed", "http"),
    "a date and time": ("dateTime", "2024-01-02T03:04:05Z"),
    "a date and time with a zone": ("dateTime", "2024-01-02T03:04:05.678+01:00"),
    "a date": ("date", "2024-01-02"),
    "a duration": ("duration", "1h5m"),
    "base64": ("byte", "aGVsbG8="),
    "an address": ("ipv4", "10.0.0.1"),
    "a long address": ("ipv6", "2001:db8::1"),
    "a network": ("cidr", "10.0.0.0/8"),
    "an identifier": ("uuid", "11111111-2222-4333-8444-555555555555"),
    "anything under an unknown format": ("unknownFormat", "?"),
    "a set": ("set", ["a", "b"]),
    "a keyed list": ("map", [{"k": "a", "v": 1}, {"k": "b", "v": 1}]),
    "a list with two keys, one by default": ("map2", [{"k": "a"}, {"k": "a", "p": "udp"}]),
    "the same twice in an atomic list": ("atomic", ["a", "a"]),
    "anything where it is free": ("free", {"a": [1, "b", None, {"c": True}]}),
    "an embedded resource": ("embedded", OBJECT),
    "deep lists": ("deep", [{"n": [1, 2]}, {}]),
}
REFUSED = {
    "text for an integer": ("integer", "1", [(TYPE, "")]),
    "a fraction for an integer": ("integer", 1.5, [(TYPE, "")]),
    "a boolean for an integer": ("integer", True, [(TYPE, "")]),
    "text for a number": ("number", "1", [(TYPE, "")]),
    "a number for a string": ("string", 1, [(TYPE, "")]),
    "text for a boolean": ("boolean", "true", [(TYPE, "")]),
    "an object for a list": ("array", {}, [(TYPE, "")]),
    "a list for an object": ("object", [], [(TYPE, "")]),
    "null among items": ("array", ["a", None], [(TYPE, "[1]")]),
    "a wrong item": ("array", ["a", 1], [(TYPE, "[1]")]),
    "a wrong field inside": ("object", {"a": "x"}, [(TYPE, ".a")]),
    "no choice": ("enum", "c", [(ODD, "")]),
    "no choice of numbers": ("enumOfNumbers", 3, [(ODD, "")]),
    "less than the minimum": ("minimum", 0, [(INVALID, "")]),
    "more than the maximum": ("maximum", 6, [(INVALID, "")]),
    "an exclusive minimum itself": ("above", 1, [(INVALID, "")]),
    "an exclusive maximum itself": ("below", 5, [(INVALID, "")]),
    "a fraction below the minimum": ("fraction", 0.25, [(INVALID, "")]),
    "no multiple": ("multipleOf", 4, [(INVALID, "")]),
    "too few characters": ("minLength", "a", [(INVALID, "")]),
    "too many characters": ("maxLength", "abcd", [(LONG, "")]),
    "no match": ("pattern", "ab", [(INVALID, "")]),
    "too few items": ("minItems", [], [(INVALID, "")]),
    "too many items": ("maxItems", ["a", "b", "c"], [(MANY, "")]),
    "too few properties": ("minProperties", {}, [(INVALID, "")]),
    "too many properties": ("maxProperties", {"a": "x", "b": "y"}, [(MANY, "")]),
    "something required is missing": ("required", {}, [(MISSING, ".a")]),
    "a wrong value of a map": ("additional", {"a": 0}, [(INVALID, ".a")]),
    "not all of the parts": ("allOf", 9, [(INVALID, "")]),
    "none of any": ("anyOf", 3, [(INVALID, "")]),
    "two of exactly one": ("oneOf", 7, [(INVALID, None)]),
    "the forbidden": ("not", "x", [(INVALID, None)]),
    "a boolean for an int-or-string": ("intOrString", True, [(TYPE, "")]),
    "a fraction for an int-or-string": ("intOrString", 1.5, [(TYPE, "")]),
    "no date and time": ("dateTime", "yesterday", [(INVALID, "")]),
    "no date": ("date", "2024-13-01", [(INVALID, "")]),
    "no duration": ("duration", "long", [(INVALID, "")]),
    "no base64": ("byte", "%", [(INVALID, "")]),
    "no address": ("ipv4", "300.0.0.1", [(INVALID, "")]),
    "no long address": ("ipv6", "10.0.0.1", [(INVALID, "")]),
    "no network": ("cidr", "10.0.0.0", [(INVALID, "")]),
    "no identifier": ("uuid", "1", [(INVALID, "")]),
    "the same twice in a set": ("set", ["a", "b", "a"], [(TWICE, "[2]")]),
    "a key twice": ("map", [{"k": "a", "v": 1}, {"k": "a", "v": 2}], [(TWICE, "[1]")]),
    "two keys twice, one by default": ("map2", [{"k": "a"}, {"k": "a", "p": "tcp"}], [(TWICE, "[1]")]),
    "an item without its key": ("map", [{"v": 1}], [(MISSING, "[0].k")]),
    "an embedded resource without a kind": ("embedded", {"apiVersion": "v1"}, [(MISSING, ".kind")]),
    "an embedded resource of an odd kind": ("embedded", {"apiVersion": "v1", "kind": "a b"}, [(INVALID, ".kind")]),
    "an embedded resource of an odd version": (
        "embedded",
        {"apiVersion": "a/b/c", "kind": "X"},
        [(INVALID, ".apiVersion")],
    ),
    "an embedded resource with an odd label": (
        "embedded",
        OBJECT | {"metadata": {"labels": {"a": "b c"}}},
        [(INVALID, ".metadata.labels")],
    ),
    "an embedded resource without a version": ("embedded", {"kind": "ConfigMap"}, [(MISSING, ".apiVersion")]),
    "a wrong item deep inside": ("deep", [{}, {"n": [1, "x"]}], [(TYPE, "[1].n[1]")]),
}


@case("K-03", rows=ACCEPTED)
async def test_a_value_is_accepted(api: Api, field, value):
    path = (await share(api, CATALOGUE)).path()
    answer = await api.create(path, CATALOGUE.body(spec={field: value}))
    assert answer.code == 201, answer.body


@case("K-03", "K-04", "E-06", rows=REFUSED)
async def test_a_value_is_refused(api: Api, field, value, expected):
    path = (await share(api, CATALOGUE)).path()
    answer = await api.create(path, CATALOGUE.body(spec={field: value}))
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
    for reason, place in expected:
        path = "<nil>" if place is None else f"spec.{field}{place}"
        now, before = (reason, path), (BEFORE.get(reason, reason), unnumbered(path))
        found = api.since(24, answer.causes, [(cause, unnumbered(field)) for cause, field in answer.causes])
        assert api.since(24, now, before) in found


def unnumbered(path):
    """Before 1.24 most faults inside a list did not say which item they were in."""
    return re.sub(r"\[\d+\]", "", path)


@case("K-03", "E-06")
async def test_every_fault_is_reported(api: Api):
    path = (await share(api, CATALOGUE)).path()
    answer = await api.create(path, CATALOGUE.body(spec={"minimum": 0, "enum": "x", "required": {}}))
    assert answer.causes == [(ODD, "spec.enum"), (INVALID, "spec.minimum"), (MISSING, "spec.required.a")]


@case("K-03")
async def test_a_spec_of_the_wrong_type_is_refused(api: Api):
    path = (await share(api, CATALOGUE)).path()
    answer = await api.create(path, CATALOGUE.body(spec="text"))
    assert (answer.code, [field for _, field in answer.causes]) == (422, ["spec"])


@case("K-03")
async def test_an_update_is_validated_like_a_create(api: Api):
    path = (await share(api, CATALOGUE)).path()
    made = await api.made(path, CATALOGUE.body(spec={"minimum": 1}))
    answer = await api.put(f"{path}/a", made | {"spec": {"minimum": 0}})
    assert (answer.code, answer.causes) == (422, [(INVALID, "spec.minimum")])


@case("K-03")
async def test_what_was_invalid_before_may_stay_so(api: Api):
    kind = await api.define({"type": "object", "properties": {"spec": FREE}})
    made = await api.made(kind.path(), kind.body(spec={"n": 9}))
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {"n": {"type": "integer", "maximum": 5}, "m": {"type": "integer"}},
            }
        },
    }
    version = kind.definition["spec"]["versions"][0] | {"schema": {"openAPIV3Schema": schema}}
    assert (await api.merge(kind.crd, {"spec": {"versions": [version]}})).code == 200

    async def in_force():
        answer = await api.merge(f"{kind.path()}/a", {"spec": {"n": 8}}, dryRun="All")
        return answer.code == 422

    await api.until(in_force)
    assert (await api.put(f"{kind.path()}/a", made | {"spec": {"n": 9, "m": 1}})).code == 200
    assert (await api.merge(f"{kind.path()}/a", {"spec": {"n": 8}})).code == 422

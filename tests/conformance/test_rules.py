"""Rules of definitions (x-kubernetes-validations): what they may say, where they are judged, what a breach becomes."""

from conformance.harness import CRDS, Api, Kind, case

_NUMBER, _TEXT = {"type": "integer"}, {"type": "string"}
_FIELDS = {
    "n": _NUMBER,
    "m": _NUMBER,
    "ratio": {"type": "number"},
    "s": _TEXT,
    "list": {"type": "array", "items": _NUMBER},
    "map": {"type": "object", "additionalProperties": _NUMBER},
    "time": {"type": "string", "format": "date-time"},
    "length": {"type": "string", "format": "duration"},
    "raw": {"type": "string", "format": "byte"},
    "port": {"x-kubernetes-int-or-string": True},
    "namespace": _TEXT,
    "a-b": _TEXT,
    "maybe": {"type": "string", "nullable": True},
}


def _spec(*rules, **fields):
    """A schema whose spec has rules."""
    properties = _FIELDS | fields
    spec = {"type": "object", "properties": properties, "x-kubernetes-validations": list(rules)}
    return {"type": "object", "properties": {"spec": spec}}


def _rule(text, **fields):
    return {"rule": text} | fields


_SPEC_RULE = "spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0]"
_REFUSED = {
    "a field that is not there": (_rule("self.nowhere > 1"), "FieldValueInvalid", "rule"),
    "a wrong type": (_rule("self.n > 'a'"), "FieldValueInvalid", "rule"),
    "a wrong type in a list": (_rule("self.list.all(x, x > 'a')"), "FieldValueInvalid", "rule"),
    "a wrong syntax": (_rule("self.n >"), "FieldValueInvalid", "rule"),
    "an unknown function": (_rule("self.s.nowhere()"), "FieldValueInvalid", "rule"),
    "a name that must be escaped": (_rule("has(self.namespace)"), "FieldValueInvalid", "rule"),
    "a result that is no bool": (_rule("self.n"), "FieldValueInvalid", "rule"),
    "no rule": (_rule(" "), "FieldValueRequired", "rule"),
    "an unknown reason": (_rule("true", reason="Other"), "FieldValueNotSupported", "reason"),
    "a path that leads nowhere": (_rule("true", fieldPath=".nowhere"), "FieldValueInvalid", "fieldPath"),
    "two lines of message": (_rule("true", message="a\nb"), "FieldValueInvalid", "message"),
    "two lines and no message": (_rule("true\n&& true"), "FieldValueRequired", "message"),
    "a message that is no text": (_rule("true", messageExpression="1"), "FieldValueInvalid", "messageExpression"),
    "an old self that is not used": (_rule("true", optionalOldSelf=True), "FieldValueInvalid", "optionalOldSelf"),
}


@case("L-01", "L-04", rows=_REFUSED)
async def test_a_rule_that_cannot_be_judged_is_refused(api: Api, rule, reason, field):
    answer = await api.create(CRDS, Kind.of("things", _spec(rule)).definition, dryRun="All")
    assert (answer.code, answer.causes) == (422, [(reason, f"{_SPEC_RULE}.{field}")])


@case("L-01")
async def test_a_compiler_says_where_a_rule_is_wrong(api: Api):
    answer = await api.create(CRDS, Kind.of("things", _spec(_rule("self.nope == 1"))).definition, dryRun="All")
    (cause,) = answer.body["details"]["causes"]
    assert cause["message"].endswith(
        "compilation failed: ERROR: <input>:1:5: undefined field 'nope'\n | self.nope == 1\n | ....^"
    )


@case("L-03", rows={"a set": ("set",), "a list without keys": ("atomic",)})
async def test_a_rule_about_old_items_needs_keys(api: Api, kind):
    items = {"type": "integer", "x-kubernetes-validations": [_rule("self >= oldSelf")]}
    schema = _spec(_rule("true"), items={"type": "array", "x-kubernetes-list-type": kind, "items": items})
    answer = await api.create(CRDS, Kind.of("things", schema).definition, dryRun="All")
    path = "spec.validation.openAPIV3Schema.properties[spec].properties[items].items.x-kubernetes-validations[0].rule"
    assert (answer.code, answer.causes) == (422, [("FieldValueInvalid", path)])


_HELD = {
    "numbers": ("self.n < self.m && self.ratio > 1.0", {"n": 1, "m": 2, "ratio": 2}),
    "absent fields": ("!has(self.n) && !has(self.maybe)", {"maybe": None}),
    "optional fields": ("self.?n.orValue(7) == 7", {}),
    "lists": ("self.list.isSorted() && self.list.sum() == 6 && self.list.max() == 3", {"list": [1, 2, 3]}),
    "quantifiers": ("self.list.all(x, x > 0) && self.list.exists_one(x, x == 2)", {"list": [1, 2, 3]}),
    "maps": ("self.map.all(k, self.map[k] > 0) && 'a' in self.map && size(self.map) == 2", {"map": {"a": 1, "b": 2}}),
    "strings": ("self.s.lowerAscii().startsWith('ab') && self.s.split('-')[1] == 'C'", {"s": "AB-C"}),
    "lengths in characters": ("size(self.s) == 2", {"s": "äö"}),
    "patterns": ("self.s.matches('^[a-z]+[0-9]$') && self.s.find('[0-9]') == '7'", {"s": "ab7"}),
    "times": ("self.time > timestamp('2020-01-01T00:00:00Z') && self.time.getFullYear() == 2021",
              {"time": "2021-05-01T00:00:00Z"}),
    "durations": ("self.length == duration('90m')", {"length": "1h30m"}),
    "bytes": ("self.raw == b'abc'", {"raw": "YWJj"}),
    "an integer or a string": ("type(self.port) == string ? self.port == '50%' : self.port > 1", {"port": "50%"}),
    "escaped names": ("self.__namespace__ == 'x' && self.a__dash__b == 'y'", {"namespace": "x", "a-b": "y"}),
    "quantities": ("quantity(self.s).isGreaterThan(quantity('1Gi')) && !isQuantity('1Zi')", {"s": "1.5Gi"}),
    "sets": ("sets.contains(self.list, [1]) && sets.equivalent([1, 2], [2, 1, 1])", {"list": [1, 2]}),
}  # fmt: skip


@case("L-01", "L-04", rows=_HELD)
async def test_a_rule_may_be_about(api: Api, rule, spec):
    holds, breaks = await api.define(_spec(_rule(rule))), await api.define(_spec(_rule(f"!({rule})")))
    assert (await api.create(holds.path(), holds.body(spec=spec))).code == 201
    assert (await api.create(breaks.path(), breaks.body(spec=spec))).code == 422


@case("K-03")
async def test_a_breach_says_the_rule(api: Api):
    kind = await api.define(_spec(_rule("self.n <= self.m")))
    answer = await api.create(kind.path(), kind.body(spec={"n": 2, "m": 1}))
    (cause,) = answer.body["details"]["causes"]
    expected = {"reason": "FieldValueInvalid", "field": "spec"}
    assert (answer.code, cause) == (
        422,
        expected | {"message": 'Invalid value: "object": failed rule: self.n <= self.m'},
    )


@case("K-03")
async def test_a_breach_says_the_message(api: Api):
    kind = await api.define(_spec(_rule("self.n < 2", message=" n is to be less than two ")))
    answer = await api.create(kind.path(), kind.body(spec={"n": 2}))
    assert answer.body["message"].endswith('spec: Invalid value: "object": n is to be less than two')


@case(
    "K-03",
    rows={
        "what it computes": ("'n is ' + string(self.n)", "n is 2"),
        "the message, where it computes nothing": ("self.m > 0 ? 'a' : 'b'", "static"),
    },
)
async def test_a_breach_says(api: Api, expression, text):
    kind = await api.define(_spec(_rule("self.n < 2", message="static", messageExpression=expression)))
    answer = await api.create(kind.path(), kind.body(spec={"n": 2}))
    assert answer.body["message"].endswith(f'Invalid value: "object": {text}')


@case("K-03", rows={reason: (f"FieldValue{reason}",) for reason in ("Duplicate", "Forbidden", "Invalid", "Required")})
async def test_a_breach_has_the_reason_and_the_place_that_the_rule_names(api: Api, reason):
    kind = await api.define(_spec(_rule("self.n < 2", reason=reason, fieldPath=".n")))
    answer = await api.create(kind.path(), kind.body(spec={"n": 2}))
    assert (answer.code, answer.causes) == (422, [(reason, "spec.n")])


@case(
    "K-03",
    rows={"an absent field": ("self.n < self.m", "no such key: m"), "a zero": ("1 / self.n == 1", "division by zero")},
)
async def test_a_rule_that_fails_is_a_breach(api: Api, rule, error):
    kind = await api.define(_spec(_rule(rule)))
    answer = await api.create(kind.path(), kind.body(spec={"n": 0}))
    assert (answer.code, answer.causes) == (422, [("FieldValueInvalid", "spec")])
    assert answer.body["message"].endswith(f"{error} evaluating rule: {rule}")


@case("K-03")
async def test_every_value_of_a_node_is_judged(api: Api):
    item = {"type": "object", "properties": {"v": _NUMBER}, "x-kubernetes-validations": [_rule("self.v > 0")]}
    number = _NUMBER | {"x-kubernetes-validations": [_rule("self > 0")]}
    fields = {
        "items": {"type": "array", "items": item},
        "map": {"type": "object", "additionalProperties": number},
        "n": number,
    }
    kind = await api.define(_spec(_rule("true"), **fields))
    spec = {"items": [{"v": 1}, {"v": 0}], "map": {"a": 0, "b": 1}, "n": 0}
    answer = await api.create(kind.path(), kind.body(spec=spec))
    assert sorted(field for _, field in answer.causes) == ["spec.items[1]", "spec.map[a]", "spec.n"]


@case("L-04")
async def test_a_rule_at_the_root_sees_names_and_nothing_else_of_the_metadata(api: Api):
    schema = _spec(_rule("true")) | {"x-kubernetes-validations": [_rule("self.metadata.name == self.spec.s")]}
    kind = await api.define(schema)
    assert (await api.create(kind.path(), kind.body("a", spec={"s": "a"}))).code == 201
    assert (await api.create(kind.path(), kind.body("b", spec={"s": "a"}))).code == 422
    schema["x-kubernetes-validations"] = [_rule("has(self.metadata.labels)")]
    assert (await api.create(CRDS, Kind.of("things", schema).definition, dryRun="All")).code == 422


@case("K-03")
async def test_rules_wait_until_the_schema_is_kept(api: Api):
    kind = await api.define(_spec(_rule("self.n < 2")))
    answer = await api.create(kind.path(), kind.body(spec={"n": 3, "m": "x"}))
    assert (answer.code, answer.causes) == (422, [("FieldValueInvalid", "<nil>"), ("FieldValueTypeInvalid", "spec.m")])


@case("K-05", "L-03")
async def test_a_transition_is_judged_on_update_alone(api: Api):
    kind = await api.define(_spec(_rule("self.n >= oldSelf.n")))
    await api.made(kind.path(), kind.body(spec={"n": 3}))
    assert (await api.merge(f"{kind.path()}/a", {"spec": {"n": 4}})).code == 200
    answer = await api.merge(f"{kind.path()}/a", {"spec": {"n": 2}})
    assert (answer.code, answer.causes) == (422, [("FieldValueInvalid", "spec")])


@case("K-05", "L-03")
async def test_items_are_compared_by_their_keys(api: Api):
    item = {
        "type": "object",
        "required": ["k"],
        "properties": {"k": _TEXT, "v": _NUMBER},
        "x-kubernetes-validations": [_rule("self.v >= oldSelf.v")],
    }
    keyed = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "items": item}
    kind = await api.define(_spec(_rule("true"), items=keyed))
    await api.made(kind.path(), kind.body(spec={"items": [{"k": "a", "v": 5}]}))
    moved = await api.merge(f"{kind.path()}/a", {"spec": {"items": [{"k": "b", "v": 1}, {"k": "a", "v": 6}]}})
    answer = await api.merge(f"{kind.path()}/a", {"spec": {"items": [{"k": "b", "v": 1}, {"k": "a", "v": 2}]}})
    assert (moved.code, answer.code, answer.causes) == (200, 422, [("FieldValueInvalid", "spec.items[1]")])


@case("K-05", "L-03")
async def test_an_optional_old_self_is_judged_on_create_too(api: Api):
    kind = await api.define(_spec(_rule("!oldSelf.hasValue() || oldSelf.value().n == self.n", optionalOldSelf=True)))
    assert (await api.create(kind.path(), kind.body(spec={"n": 1}))).code == 201
    assert (await api.merge(f"{kind.path()}/a", {"spec": {"n": 2}})).code == 422
    other = await api.define(_spec(_rule("oldSelf.hasValue()", optionalOldSelf=True)))
    assert (await api.create(other.path(), other.body(spec={"n": 1}))).code == 422


@case("K-03")
async def test_what_broke_a_new_rule_before_may_stay_so(api: Api):
    kind = await api.define(_spec(_rule("true")))
    await api.made(kind.path(), kind.body(spec={"n": 5}))
    version = kind.definition["spec"]["versions"][0] | {"schema": {"openAPIV3Schema": _spec(_rule("self.n < 2"))}}
    await api.merge(kind.crd, {"spec": {"versions": [version]}})

    async def in_force():
        return (await api.create(kind.path(), kind.body("b", spec={"n": 5}), dryRun="All")).code == 422

    await api.until(in_force)
    assert (await api.merge(f"{kind.path()}/a", {"metadata": {"labels": {"x": "y"}}})).code == 200
    assert (await api.merge(f"{kind.path()}/a", {"spec": {"n": 6}})).code == 422

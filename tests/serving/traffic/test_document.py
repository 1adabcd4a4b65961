"""Documents of routes: taken whole, or refused with every fault."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.serving.errors import RouteError
from windlass.serving.experiments.plan import Experiment, Goal, Guardrail
from windlass.serving.traffic.document import (
    digest,
    parse_document,
    read_route,
    read_routes,
    route_to_dict,
    routes_to_dict,
)
from windlass.serving.traffic.route import Arm, Match, Route, Routes, Shadow

WHOLE = b"""
routes:
  digits:
    arms:
      - {name: a, model: digits, weight: 95}
      - {name: b, model: wide, version: "2", weight: 5}
    stable: a
    matches: [{header: X-Group, value: beta, arm: b}]
    shadows: [{name: s, model: next, percent: 10}]
    unit_cookie: uid
    experiment:
      name: wide-1
      control: a
      treatment: b
      goal: {metric: errors, effect: 0.02}
      guardrails: [{metric: slow, tolerance: 0.01}]
      steps: [5, 50]
"""


def test_a_document_says_all_that_a_route_has():
    plan = Experiment(
        "wide-1", "a", "b", goal=Goal("errors", 0.02), guardrails=(Guardrail("slow", 0.01),), steps=(5, 50)
    )
    assert parse_document(WHOLE) == Routes.of(
        Route(
            "digits",
            (Arm("a", "digits", weight=95), Arm("b", "wide", "2", 5)),
            stable="a",
            matches=(Match("X-Group", "beta", "b"),),
            shadows=(Shadow("s", "next", percent=10.0),),
            unit_cookie="uid",
            experiment=plan,
        )
    )


def test_a_document_is_written_as_it_is_read():
    routes = parse_document(WHOLE)
    assert read_routes(json.loads(json.dumps(routes_to_dict(routes)))) == routes
    assert parse_document(json.dumps(routes_to_dict(routes)).encode()) == routes


def test_no_routes_are_a_document_too():
    assert parse_document(b"routes: {}") == Routes()


FIELDS = "arms, stable, matches, shadows, salt, unit_header, unit_cookie, forced, experiment"


def test_every_fault_of_every_route_is_told_at_once():
    with pytest.raises(RouteError) as caught:
        parse_document(b"""
routes:
  one:
    arms: [{name: a, weight: 95}, {name: b, model: 7, weight: "5", extra: 1}]
    shadow: []
    experiment: {name: e, control: a, treatment: a, alpha: "1", goal: {metric: clicks},
                 guardrails: [{metric: slow, tolerance: 3, more: 1}], steps: [5, true]}
  two: 3
  "a/b": {arms: [{name: a, model: m, weight: 100}]}
  three: {arms: [{name: a, model: m, weight: 99}], experiment: {name: "", control: a, treatment: a}}
""")
    assert caught.value.faults == (
        f"routes.one.shadow: unknown; expected {FIELDS}",
        "routes.one.arms[0].model: missing",
        "routes.one.arms[1].extra: unknown; expected name, model, version, weight",
        "routes.one.arms[1].model: expected `str`, got `int`",
        "routes.one.arms[1].weight: expected `int`, got `str`",
        "routes.one.experiment.goal.metric: invalid enum value 'clicks'",
        "routes.one.experiment.guardrails[0].more: unknown; expected metric, tolerance",
        "routes.one.experiment.alpha: expected `float`, got `str`",
        "routes.one.experiment.steps[1]: expected `int`, got `bool`",
        "routes.two: expected an object, found 3",
        "routes.a/b.name: expected letters, digits, '-', '_' and '.', found 'a/b'",
        "routes.three.experiment.name: expected a name, found nothing",
        "routes.three.experiment.treatment: expected another arm than the control, found 'a' twice",
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"[", "the document is not YAML: while parsing", id="broken"),
        pytest.param(b"\xff\xfe\xff", "the document is not YAML", id="no text"),
        pytest.param(b"[" * 5_000, "the document is not YAML", id="deep"),
        pytest.param(b"", "expected an object with the field routes alone, found None", id="empty"),
        pytest.param(b"{}", "found an object with no fields", id="another"),
        pytest.param(b"routes: []", "routes by name ({} for none), found []", id="list"),
        pytest.param(b"routes:\n", "({} for none), found None", id="cut off after its first line"),
        pytest.param(b"routes: {a: {}, a: {}}", "'a' is given twice", id="a route twice"),
        pytest.param(b"routes: {a: {arms: [{name: n, name: z}]}}", "'name' is given twice", id="a field twice"),
        pytest.param(b"routes: {a: {arms: {}}}", "routes.a.arms: expected `array`, got `object`", id="arms"),
        pytest.param(b"!!python/object/apply:os.system [true]", "the document is not YAML", id="a program"),
    ],
)
def test_what_is_no_document_is_refused(content, why):
    with pytest.raises(RouteError) as caught:
        parse_document(content)
    assert why in str(caught.value)


def test_the_name_inside_a_route_is_its_name_or_left_out():
    value = {"name": "other", "arms": [{"name": "a", "model": "m", "weight": 100}]}
    with pytest.raises(RouteError, match="name: expected 'r' or nothing, found 'other'"):
        read_route("r", value)
    assert read_route("other", value) == read_route("other", {"arms": value["arms"]})


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=5)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["arms", "name", "model", "weight", "experiment", "control", "shadows", "goal", "steps"])
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(ANYTHING)
def test_anything_else_is_refused_and_nothing_breaks(value):
    try:
        route = read_route("r", value)
    except RouteError:
        return
    assert read_route("r", route_to_dict(route)) == route


def test_a_digest_tells_contents_apart_and_not_their_order():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 2, "b": 1})

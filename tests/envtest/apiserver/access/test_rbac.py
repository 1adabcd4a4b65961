import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.envtest.apiserver.access.attributes import Attributes, attributes_of
from windlass.envtest.apiserver.access.rbac import Rule, uncovered

WORDS = st.sampled_from(["*", "a", "b"])
PLURALS = st.sampled_from(["*", "a", "b", "a/s", "*/s"])
RULES = st.one_of(
    st.builds(
        Rule,
        verbs=st.lists(WORDS, min_size=1, max_size=2).map(tuple),
        groups=st.lists(WORDS, min_size=1, max_size=2).map(tuple),
        resources=st.lists(PLURALS, min_size=1, max_size=2).map(tuple),
        names=st.lists(st.sampled_from(["n", "m"]), max_size=2).map(tuple),
    ),
    st.builds(
        Rule,
        verbs=st.lists(WORDS, min_size=1, max_size=2).map(tuple),
        urls=st.lists(st.sampled_from(["*", "/a", "/a/*", "/a/b"]), min_size=1, max_size=2).map(tuple),
    ),
)
WANTED = st.one_of(
    st.builds(
        Attributes,
        verb=st.sampled_from("ab"),
        group=st.sampled_from("ab"),
        resource=st.sampled_from("ab"),
        subresource=st.sampled_from(["", "s"]),
        name=st.sampled_from(["", "n", "m"]),
    ),
    st.builds(Attributes, verb=st.sampled_from("ab"), path=st.sampled_from(["/a", "/a/b", "/c"])),
)


@given(st.lists(RULES, max_size=3), st.lists(RULES, max_size=3), WANTED)
def test_who_hands_out_nothing_uncovered_hands_out_nothing_that_they_may_not_do(held, handed, wanted):
    if not uncovered(held, handed) and any(rule.permits(wanted) for rule in handed):
        assert any(rule.permits(wanted) for rule in held)


@given(st.lists(RULES, max_size=4))
def test_everybody_may_hand_out_what_they_hold(rules):
    assert uncovered(rules, rules) == []


@given(RULES)
def test_who_may_everything_may_hand_out_everything(rule):
    everything = [Rule(("*",), ("*",), ("*",)), Rule(("*",), urls=("*",))]
    assert uncovered(everything, [rule]) == []


@given(RULES)
def test_who_holds_nothing_lacks_all_of_a_rule(rule):
    assert uncovered([], [rule])


def test_what_is_lacking_is_told_by_resource_with_its_verbs_together():
    missing = uncovered([], [Rule(("get", "list"), ("",), ("pods", "nodes"), ("x",)), Rule(("get",), urls=("/a",))])
    assert [str(rule) for rule in missing] == [
        '{APIGroups:[""], Resources:["nodes"], ResourceNames:["x"], Verbs:["get" "list"]}',
        '{APIGroups:[""], Resources:["pods"], ResourceNames:["x"], Verbs:["get" "list"]}',
        '{NonResourceURLs:["/a"], Verbs:["get"]}',
    ]


@pytest.mark.parametrize("entry", [{}, {"verbs": None}, {"verbs": "get"}, {"verbs": [1]}])
def test_a_malformed_rule_permits_nothing(entry):
    assert not Rule.of(entry).permits(Attributes("get", resource="pods"))


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("GET", "/api/v1/pods", Attributes("list", resource="pods")),
        ("GET", "/api/v1/pods?watch=true", Attributes("watch", resource="pods")),
        ("GET", "/api/v1/pods?watch=0", Attributes("list", resource="pods")),
        ("GET", "/api/v1/pods?fieldSelector=metadata.name=a", Attributes("list", resource="pods", name="a")),
        ("GET", "/api/v1/pods?fieldSelector=,,", Attributes("list", resource="pods")),
        ("HEAD", "/api/v1/namespaces/n/pods/a", Attributes("get", resource="pods", namespace="n", name="a")),
        ("DELETE", "/apis/g/v1/things", Attributes("deletecollection", group="g", resource="things")),
        ("DELETE", "/apis/g/v1/things/a", Attributes("delete", group="g", resource="things", name="a")),
        (
            "PATCH",
            "/apis/g/v1/namespaces/n/things/a/status",
            Attributes("patch", group="g", resource="things", subresource="status", namespace="n", name="a"),
        ),
        ("GET", "/api/v1/namespaces", Attributes("list", resource="namespaces")),
        ("GET", "/api/v1/namespaces/n", Attributes("get", resource="namespaces", namespace="n", name="n")),
        (
            "PUT",
            "/api/v1/namespaces/n/finalize",
            Attributes("update", resource="namespaces", subresource="finalize", namespace="n", name="n"),
        ),
        ("GET", "/apis/g/v1", Attributes("get", "/apis/g/v1")),
        ("POST", "/logs/", Attributes("post", "/logs/")),
        ("OPTIONS", "/api/v1/pods", Attributes("", resource="pods")),
    ],
)
def test_a_request_is_read_from_its_line(method, target, expected):
    path, _, query = target.partition("?")
    name, _, value = query.partition("=")
    assert attributes_of(method, path, {name: value} if query else {}) == expected

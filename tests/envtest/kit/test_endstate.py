"""Two runs that ended alike have equal end states, and two that did not have a diff."""

import pytest

from windlass.envtest.kit.endstate import TOUCH, Without, end_state_of, nothing

CONFIG_MAPS, WIDGETS = ("", "v1", "configmaps"), ("example.com", "v1", "widgets")


def config_map(name="a", *, uid="u-1", **body):
    metadata = {"name": name, "namespace": "ns-1", "uid": uid, "resourceVersion": "7", **body.pop("metadata", {})}
    return (CONFIG_MAPS, {"metadata": metadata, **body})


def state(*objects, namespace="ns-1", effects=None, volatile=(), derived=nothing):
    return end_state_of(namespace, list(objects), effects=effects or {}, without=Without(volatile, derived))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"metadata": {"resourceVersion": "1"}}, {"metadata": {"resourceVersion": "2"}}, id="version"),
        pytest.param({"metadata": {"generation": 1}}, {"metadata": {"generation": 5}}, id="generation"),
        pytest.param({"metadata": {"uid": "x"}}, {"metadata": {"uid": "y"}}, id="uid"),
        pytest.param({"metadata": {"managedFields": [{}]}}, {}, id="managed fields"),
        pytest.param({"metadata": {"annotations": {TOUCH: "1"}}}, {}, id="touch"),
        pytest.param(
            {"status": {"since": "2026-01-02T03:04:05Z"}},
            {"status": {"since": "2027-01-02T03:04:05.123+01:00"}},
            id="time",
        ),
        pytest.param({"kind": "ConfigMap", "apiVersion": "v1"}, {}, id="kind of a built-in list"),
    ],
)
def test_what_differs_by_itself_is_left_out(one, other):
    assert state(config_map(**one)) == state(config_map(**other))
    assert state(config_map(**one)).difference(state(config_map(**other))) == ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"data": {"a": "1"}}, {"data": {"a": "2"}}, id="data"),
        pytest.param({"metadata": {"labels": {"a": "1"}}}, {}, id="label"),
        pytest.param({"metadata": {"annotations": {"a": "1", TOUCH: "1"}}}, {}, id="annotation"),
        pytest.param({"metadata": {"finalizers": ["a"]}}, {}, id="finalizer"),
        pytest.param({"metadata": {"deletionTimestamp": "2026-01-02T03:04:05Z"}}, {}, id="deletion"),
    ],
)
def test_what_somebody_did_is_not(one, other):
    assert state(config_map(**one)) != state(config_map(**other))
    assert state(config_map(**one)).difference(state(config_map(**other)))


def test_the_observed_generation_is_compared_with_the_objects_own():
    def observed(generation, status):
        return state(config_map(metadata={"generation": generation}, status=status))

    assert observed(1, {"observedGeneration": 1}) == observed(4, {"observedGeneration": 4})
    assert observed(1, {"observedGeneration": 1}) != observed(4, {"observedGeneration": 3})
    assert observed(1, {"conditions": [{"observedGeneration": 1}]}) != observed(
        2, {"conditions": [{"observedGeneration": 1}]}
    )


def test_a_uid_is_known_wherever_it_is_mentioned():
    def owned(uid):
        child = config_map("b", uid=f"{uid}-b", metadata={"ownerReferences": [{"uid": uid}], "labels": {"of": uid}})
        return state(config_map("a", uid=uid), child, effects={f"open {uid}": 1})

    assert owned("11-22") == owned("33-44")
    assert owned("11-22").effects == {"open <uid of configmaps a>": 1}


def test_the_namespaces_name_is_replaced():
    one = state(config_map(metadata={"namespace": "ns-1"}, data={"url": "a.ns-1.svc"}))
    two = state(config_map(metadata={"namespace": "ns-2"}, data={"url": "a.ns-2.svc"}), namespace="ns-2")
    assert one == two


def test_generated_names_are_compared_by_what_they_name():
    def pair(first, second):
        return state(
            config_map(f"job-{first}", uid=first, metadata={"generateName": "job-"}, data={"n": "1"}),
            config_map(f"job-{second}", uid=second, metadata={"generateName": "job-"}, data={"n": "2"}),
        )

    assert pair("aaaaa", "zzzzz") == pair("zzzzz", "aaaaa")
    assert set(pair("aaaaa", "zzzzz").objects) == {"configmaps job-<generated>", "configmaps job-<generated> (2)"}


def test_fields_may_be_called_volatile():
    def with_pid(pid):
        return state(config_map(status={"pid": pid, "on": True}), volatile=["status.pid", "spec.absent.field"])

    assert with_pid(1) == with_pid(2)
    assert with_pid(1).objects["configmaps a"]["status"] == {"on": True}


def test_a_difference_shows_what_was_expected_and_what_was_found():
    expected = state(config_map(data={"a": "1"}), effects={"open": 1})
    found = state(config_map(data={"a": "2"}), (WIDGETS, config_map("w", uid="u-2")[1]), effects={"open": 2})
    lines = expected.difference(found).splitlines()
    assert lines[:2] == ["--- expected", "+++ found"]
    assert {"-    a: '1'", "+    a: '2'", "-  open: 1", "+  open: 2", "+widgets.example.com w:"} <= set(lines)


def test_a_text_that_is_computed_from_a_uid_is_the_word_that_stands_for_it():
    def derived(uid):
        return {uid[::-1]: "<backwards>"}

    def made(uid):
        child = config_map(f"b-{uid[::-1]}", uid="other", data={"of": uid[::-1]})
        return state(config_map(uid=uid), child, derived=derived)

    assert made("abc") == made("xyz")
    assert "configmaps b-<backwards>" in made("abc").objects

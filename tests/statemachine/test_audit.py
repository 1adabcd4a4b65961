"""Writes, transitions and lost updates, read off events of audit.k8s.io/v1."""

import copy

import pytest
from orders import ORDER

from windlass.statemachine.audit import is_audit_event, losses, transitions, writes
from windlass.statemachine.forensics import examine


def event(version, status, *, verb="patch", base=None, manager="a", code=200, **fields):
    metadata = {"name": "one", "namespace": "ns", "uid": "u", "resourceVersion": str(version), "generation": 1}
    request = {"metadata": {} if base is None else {"resourceVersion": str(base)}, "status": status}
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "stage": "ResponseComplete",
        "auditID": f"audit-{version}",
        "verb": verb,
        "requestURI": f"/apis/example.com/v1/namespaces/ns/orders/one/status?fieldManager={manager}",
        "user": {"username": "admin"},
        "userAgent": "program/1 (linux)",
        "objectRef": {"resource": "orders", "namespace": "ns", "name": "one", "subresource": "status"},
        "responseStatus": {"code": code},
        "stageTimestamp": f"2026-08-01T12:00:{version:02}.000000Z",
        "requestObject": request,
        "responseObject": {"kind": "Order", "metadata": metadata, "status": status},
        **fields,
    }


CREATED = event(1, {}, verb="create", objectRef={"resource": "orders", "namespace": "ns", "name": "one"})


def read(*events):
    return writes(events, field="state", initial="New")


def test_a_transition_is_a_change_of_the_state_with_all_that_is_known_of_it():
    (found,) = transitions(read(CREATED, event(2, {"state": "Reserved", "observedGeneration": 1}, base=1)))

    assert (found.source, found.target, found.version_before, found.version_after) == ("New", "Reserved", "1", "2")
    assert (found.writer, found.trace_id, found.cause) == ("admin (a)", "audit-2", "patch status")
    assert (found.subject, found.uid, found.generation, found.at.second) == ("Order ns/one", "u", 1, 2)


def test_events_are_put_in_the_order_of_versions_and_writes_that_changed_nothing_are_left_out():
    events = [
        event(10, {"state": "Shipped"}),
        event(9, {"state": "Reserved"}),
        event(9, {"state": "Reserved"}),
        CREATED,
    ]

    assert [(one.source, one.target) for one in transitions(read(*events))] == [
        ("New", "Reserved"), ("Reserved", "Shipped")]  # fmt: skip
    assert len(read(*events)) == 3


def test_of_an_object_older_than_the_log_the_first_write_is_no_transition():
    assert transitions(read(event(9, {"state": "Shipped"}), event(10, {"state": "Closed"})))[0].source == "Shipped"


@pytest.mark.parametrize(
    "fields",
    [
        {"stage": "RequestReceived"}, {"verb": "get"}, {"responseStatus": {"code": 409}}, {"responseObject": None},
        {"requestURI": "/x?dryRun=All"}, {"responseStatus": None}, {"objectRef": None},
    ],
)  # fmt: skip
def test_what_wrote_nothing_or_does_not_tell_what_is_passed_over(fields):
    assert read(event(2, {"state": "Closed"}, **fields)) == []


@pytest.mark.parametrize(
    ("request_body", "base"),
    [
        ({"metadata": {"resourceVersion": "7"}}, "7"),
        ([{"op": "test", "path": "/metadata/resourceVersion", "value": "7"}, {"op": "add", "path": "/x"}], "7"),
        ([{"op": "add", "path": "/x"}], ""),
        ({"status": {}}, ""),
        (None, ""),
    ],
)
def test_the_base_of_a_write_is_the_version_that_the_server_compares(request_body, base):
    (found,) = read(event(8, {}, requestObject=request_body))

    assert (found.entry.version_before, found.blind) == (base, not base)


def condition(name, status="True", time="2026-08-01T12:00:00Z"):
    return {"type": name, "status": status, "reason": "Set", "message": "", "lastTransitionTime": time}


def listed(*conditions):
    return {"conditions": list(conditions)}


def test_a_condition_that_a_blind_writer_dropped_is_a_lost_update_with_both_writers():
    paid, checked = condition("Paid"), condition("Checked")
    found = losses(read(CREATED, event(2, listed(paid), manager="till"), event(3, listed(checked), manager="clerk")))

    assert str(found[0]) == (
        "lost update: conditions[Paid]: set by admin (till) (version 2), put back to what it was by admin (clerk) "
        "(version 3), whose request named no version"
    )
    assert len(found) == 1
    assert found[0].writers == ("admin (till)", "admin (clerk)")


def test_a_value_put_back_is_lost_and_one_set_to_something_new_is_not():
    was, now, other = (event(version, listed(condition("Paid", status)), manager=by)
                       for version, status, by in ((2, "False", "a"), (3, "True", "b"), (4, "False", "a")))  # fmt: skip

    assert len(losses(read(CREATED, was, now, other))) == 1
    assert losses(read(CREATED, was, now, event(4, listed(condition("Paid", "Unknown")), manager="a"))) == ()


@pytest.mark.parametrize(
    "last",
    [
        pytest.param(event(3, {}, base=2, manager="clerk"), id="on the version that it replaces"),
        pytest.param(event(3, {}, manager="till"), id="by the same writer"),
        pytest.param(event(3, listed(condition("Paid", time="2026-08-02T12:00:00Z")), manager="clerk"), id="time only"),
    ],
)
def test_what_was_undone_knowingly_is_no_lost_update(last):
    assert losses(read(CREATED, event(2, listed(condition("Paid")), manager="till"), last)) == ()


def test_a_field_that_was_there_before_the_log_began_was_set_by_nobody_in_it():
    assert losses(read(event(5, listed(condition("Paid"))), event(6, listed(), manager="b"))) == ()


def test_transitions_of_an_audit_log_can_be_examined_like_any_journal():
    found = transitions(read(CREATED, event(2, {"state": "Shipped"}), event(3, {"state": "New"}, manager="b")))

    assert [one.kind for one in examine(ORDER, found)] == ["skipped", "reverted"]


def test_an_audit_event_is_told_from_a_core_event():
    assert is_audit_event(CREATED)
    assert not is_audit_event({"kind": "Event", "apiVersion": "v1"})
    assert not is_audit_event({"source": "a", "target": "b"})


def places(value, path=()):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield (*path, name)
        yield from places(inner, (*path, name))


STRANGE = (None, True, 5, -1.5, float("nan"), "x", [], {}, [None], [5], {"type": 5}, [{"type": ["x"]}])


def test_other_peoples_objects_may_be_of_any_form():
    """The log has the requests of everybody, and a status is what its kind makes of it."""
    good = event(2, {"state": "Reserved", "conditions": [{"type": "Paid", "status": "True"}]}, base=1)
    for path in places(good):
        if path[0] == "stageTimestamp":
            continue
        for value in STRANGE:
            odd = copy.deepcopy(good)
            here = odd
            for name in path[:-1]:
                here = here[name]
            here[path[-1]] = value
            found = read(CREATED, odd, event(9, {"state": "Shipped"}, base=2))
            losses(found)
            assert transitions(found)[-1].target == "Shipped"

from hypothesis import given
from hypothesis import strategies as st

from windlass.envtest.apiserver.builtin.events import event_faults, event_in, stored_field

TIMES = st.none() | st.just("2026-01-01T00:00:00Z")
EVENTS = st.fixed_dictionaries(
    {"apiVersion": st.just("v1"), "kind": st.just("Event"), "metadata": st.just({"name": "a"})},
    optional={
        "involvedObject": st.just({"kind": "Pod", "name": "p"}),
        "source": st.just({"component": "c"}),
        "related": st.just({"kind": "Node"}),
        "series": st.just({"count": 2}),
        "count": st.integers(1, 9),
        **dict.fromkeys(("eventTime", "firstTimestamp", "lastTimestamp"), TIMES),
        **dict.fromkeys(("message", "reason", "type", "action", "reportingComponent"), st.text(min_size=1)),
    },
)


def said(event):
    """What the event says, without what is written of absent parts."""
    return {field: value for field, value in event.items() if value not in (None, "", {})}


@given(EVENTS)
def test_an_event_that_is_renamed_and_renamed_back_says_the_same(event):
    renamed = event_in(event, "events.k8s.io/v1")
    assert list(renamed)[:3] == ["apiVersion", "kind", "metadata"]
    assert not {"involvedObject", "message", "source", "count"} & renamed.keys()
    assert said(event_in(renamed, "v1")) == said(event)
    assert event_in(event, "v1") is event


def test_selectors_name_fields_of_the_stored_object():
    fields = ("regarding.kind", "reportingController", "reason", "metadata.name")
    assert [stored_field(one) for one in fields] == [
        "involvedObject.kind",
        "reportingComponent",
        "reason",
        "metadata.name",
    ]


def test_a_bare_event_lacks_its_time_and_its_type():
    assert [fault.field for fault in event_faults({})] == ["eventTime", "type"]

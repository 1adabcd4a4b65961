"""Declarations on fields are held against the status class at import; what is written is the smallest change."""

import re
from typing import Annotated, Literal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.statemachine import Condition, Conditions, InvalidMapping
from windlass.statemachine.mapping import Changes, StatusMapping, status

NOTHING_SEEN = Conditions()


@attrs.frozen
class JobStatus:
    phase: str = "Pending"
    accuracy: float | None = None
    step: int = 0
    rooms: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    runs: int = 0


@attrs.frozen
class Known:
    state: Annotated[Literal["Pending", "Running", "Done"], status("phase")] = "Pending"
    accuracy: Annotated[float | None, status(when=lambda known: known.state == "Done")] = None
    step: Annotated[int, status(deferred=10.0)] = 0
    rooms: Annotated[tuple[str, ...], status(when=lambda known: known.state != "Done")] = ()
    seen: Annotated[Conditions, status("conditions")] = NOTHING_SEEN
    secret: str = "not for the status"


STATUS = StatusMapping(Known, JobStatus)
READY = Condition("Ready", "True", "Fine")


def test_only_what_differs_is_written_under_the_names_of_the_status():
    before = JobStatus(phase="Pending", step=3, runs=7)

    assert STATUS.changes(before, Known("Running", step=3)) == Changes({"phase": "Running"})
    assert STATUS.changes(before, Known("Pending", step=3)) == Changes({})
    assert STATUS.changes(JobStatus(), Known(seen=Conditions.of([READY]))).fields == {"conditions": (READY,)}


def test_a_field_whose_condition_does_not_hold_goes_back_to_the_default():
    assert STATUS.changes(JobStatus("Running"), Known("Running", accuracy=0.9)) == Changes({})
    assert STATUS.changes(JobStatus("Running"), Known("Done", accuracy=0.9)).fields == {
        "phase": "Done",
        "accuracy": 0.9,
    }
    assert STATUS.changes(JobStatus("Done", 0.9), Known("Running", accuracy=0.9)).fields == {
        "phase": "Running", "accuracy": None}  # fmt: skip


def test_a_deferred_field_alone_waits_and_goes_along_with_any_other():
    before = JobStatus("Running", step=3)

    assert STATUS.changes(before, Known("Running", step=4), since_write_seconds=4.0) == Changes({}, due_seconds=6.0)
    assert STATUS.changes(before, Known("Running", step=4), since_write_seconds=10.0) == Changes({"step": 4})
    assert STATUS.changes(before, Known("Done", step=4), since_write_seconds=0.0) == Changes(
        {"phase": "Done", "step": 4}
    )
    assert STATUS.changes(before, Known("Running", step=3), since_write_seconds=0.0) == Changes({})


states = st.sampled_from(["Pending", "Running", "Done"])
knowns = st.builds(
    Known,
    states,
    st.none() | st.floats(0, 1),
    st.integers(0, 3),
    st.sampled_from([(), ("a",)]),
    st.sampled_from([Conditions(), Conditions.of([READY])]),
)


@given(knowns, knowns, st.floats(0, 20))
def test_what_is_written_leads_to_what_is_known_and_nothing_less_would(old, new, since):
    before = JobStatus(**STATUS.values(old))
    written = STATUS.changes(before, new, since_write_seconds=since)
    after = attrs.evolve(before, **written.fields)

    if written.due_seconds is None:
        assert after == JobStatus(**STATUS.values(new))
    else:
        assert (written.fields, new.step != old.step) == ({}, True)
        assert since + written.due_seconds == pytest.approx(10.0)
    for name in written.fields:
        assert attrs.evolve(after, **{name: getattr(before, name)}) != after


@attrs.frozen
class Strict:
    phase: str
    count: int = 0
    items: tuple[int, ...] = attrs.field(factory=tuple)


def mapped(target=Strict, **annotations):
    return StatusMapping(attrs.make_class("Odd", {name: attrs.field(type=hint) for name, hint in annotations.items()}),
                         target)  # fmt: skip


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        (
            {"a": Annotated[str, status("state")]},
            "a: the status has no field 'state'; it has 'phase', 'count'",
        ),
        ({"phase": Annotated[int, status()]}, "phase: the status field 'phase' holds str, found int"),
        ({"count": Annotated[int | None, status()]}, "count: the status field 'count' holds int, found int | None"),
        ({"count": Annotated[bool, status()]}, "count: the status field 'count' holds int, found bool"),
        ({"items": Annotated[tuple[str, ...], status()]}, "'items' holds tuple[int, ...], found tuple[str, ...]"),
        ({"phase": Annotated[str, status(when=bool)]}, "phase: when: the status field 'phase' has no default"),
        *(
            (
                {"count": Annotated[int, status(deferred=seconds)]},
                f"count: deferred: expected a finite number of seconds above 0, found {seconds}",
            )
            for seconds in (0, float("inf"), float("nan"))
        ),
        (
            {"a": Annotated[int, status("count")], "b": Annotated[int, status("count")]},
            "b: the status field 'count'",
        ),
        ({"a": int}, "no field is declared with status()"),
    ],
)
def test_a_declaration_that_does_not_fit_is_refused_at_import_by_its_field(annotations, message):
    with pytest.raises(InvalidMapping, match=re.escape(message)) as caught:
        mapped(**annotations)
    assert str(caught.value).startswith("Odd cannot be mapped to Strict: ")


def test_all_faults_are_told_at_once():
    with pytest.raises(InvalidMapping) as caught:
        mapped(a=Annotated[str, status("state")], phase=Annotated[int, status()])

    assert "a: the status has no field" in str(caught.value)
    assert "phase: the status field" in str(caught.value)


def test_a_default_made_by_a_factory_is_made_anew():
    mapping = mapped(items=Annotated[tuple[int, ...], status(when=lambda known: False)])

    assert mapping.values(mapping._known(items=(1,))) == {"items": ()}


def test_what_is_no_attrs_class_is_refused():
    with pytest.raises(InvalidMapping, match="int is not an attrs class"):
        StatusMapping(Known, int)


def test_a_mapping_shows_its_fields():
    assert repr(STATUS).startswith("<StatusMapping Known → JobStatus: state → phase, accuracy → accuracy, ")

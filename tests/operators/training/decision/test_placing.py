"""What a job decides about its place: on record before its run begins, waited for, and kept."""

import attrs
import pytest
from hardware_world import H100, node, placed, unplaced, wish
from training_jobs import condition, facts, job_in, with_new_spec, write

from windlass.informers.typed import structure
from windlass.operators.training import decision as d
from windlass.operators.training.decision import decide
from windlass.operators.training.decision.placing import elsewhere
from windlass.operators.training.executors.contract import Active, Fault, NotStarted
from windlass.operators.training.hardware.types import HardwareSpec, HardwareStatus
from windlass.operators.training.queues.places import Admitted

GPU = placed(wish("nvidia-h100"), [node("g", gpus=1, model=H100)])
CPU = placed(wish("nvidia-h100", "cpu"), [node("c")])
FULL = unplaced(wish("nvidia"), [])
UNREADABLE = Fault("HardwareUnreadable", "no", retryable=True)


def wanting(job, **spec):
    made = structure({"classes": ["nvidia-h100", "cpu"], **spec}, HardwareSpec)
    return attrs.evolve(job, spec=attrs.evolve(job.spec, hardware=made))


def test_a_job_that_asks_for_no_hardware_is_begun_without_a_question():
    assert write(job_in("Queued")).status.phase == "Running"


def test_a_job_is_placed_before_its_run_is_on_record():
    job = wanting(job_in("Queued"))

    assert decide(job, facts(place=Admitted())) == d.ChooseHardware()
    there = write(job, placement=GPU)

    assert (there.status.phase, there.status.run) == ("Queued", None)
    assert (there.status.hardware.class_, there.status.hardware.attempt) == ("nvidia-h100", 1)
    found = condition(there, "Placed")
    assert (found.status, found.reason, found.message) == ("True", "Placed", f"nvidia-h100: {GPU.message}")
    assert write(there).status.phase == "Running"  # the place is on record, and is not asked for again


def test_a_job_without_a_place_waits_and_says_why_once():
    waiting = write(wanting(job_in("Queued")), placement=FULL)

    assert waiting.status.phase == "Queued"
    found = condition(waiting, "Placed")
    assert (found.status, found.reason) == ("False", "NoCapacity")
    assert waiting.status.hardware.explanation == ("nvidia: NoCapacity: there are no nodes",)
    assert decide(waiting, facts(place=Admitted(), placement=FULL)) == d.Wait(30.0)
    assert write(waiting, placement=CPU).status.hardware.class_ == "cpu"


def test_a_job_whose_nodes_cannot_be_read_tries_again_and_says_so_once():
    waiting = write(wanting(job_in("Queued")), placement=UNREADABLE)

    assert condition(waiting, "Placed").reason == "HardwareUnreadable"
    assert decide(waiting, facts(place=Admitted(), placement=UNREADABLE)) == d.Retry("no")


def test_a_job_whose_hardware_makes_no_sense_fails():
    assert write(wanting(job_in("Queued")), placement=Fault("InvalidHardware", "no")).status.phase == "Failed"


def test_a_changed_spec_forgets_the_place():
    placed_job = write(wanting(job_in("Queued")), placement=GPU)

    again = with_new_spec(placed_job)
    decision = decide(again, facts())
    if isinstance(decision, d.Discard):
        decision = decide(again, facts(discarded=frozenset(decision.runs)))
    assert decision.status.hardware is None


def test_another_attempt_is_placed_anew_before_it_starts():
    job = wanting(job_in("Running"))
    old = HardwareStatus(attempt=job.status.run.attempt - 1, class_="nvidia-h100")
    job = attrs.evolve(job, status=attrs.evolve(job.status, hardware=old))

    assert decide(job, facts(observation=NotStarted())) == d.ChooseHardware()
    there = write(job, observation=NotStarted(), placement=CPU)
    assert (there.status.hardware.class_, there.status.hardware.attempt) == ("cpu", job.status.run.attempt)
    assert decide(there, facts(observation=NotStarted())) == d.Start()


# Of an attempt that waits in vain.


def waiting_on(record, **spec):
    job = wanting(job_in("Running"), **spec)
    return attrs.evolve(job, status=attrs.evolve(job.status, hardware=record))


ON_GPU = HardwareStatus(attempt=1, class_="nvidia-h100", models=(H100,))


def test_an_attempt_that_waits_in_vain_is_moved_to_what_fits_now():
    job = waiting_on(ON_GPU)

    assert elsewhere(job, facts()) == d.ChooseHardware()
    found = elsewhere(job, facts(placement=CPU))
    assert (found.class_, found.attempt) == ("cpu", 2)


@pytest.mark.parametrize("found", [GPU, FULL, UNREADABLE], ids=["the-same", "nothing", "unreadable"])
def test_an_attempt_that_could_not_go_elsewhere_goes_on_waiting(found):
    assert elsewhere(waiting_on(ON_GPU), facts(placement=found)) is None


def test_an_attempt_is_not_moved_when_the_job_does_not_allow_it_or_has_no_place():
    assert elsewhere(waiting_on(ON_GPU, moveWhilePending=False), facts(placement=CPU)) is None
    assert elsewhere(waiting_on(None), facts(placement=CPU)) is None
    assert elsewhere(job_in("Running"), facts(placement=CPU)) is None


UNSCHEDULED = Active(waiting="Unschedulable: 0/2 nodes are available: 2 Insufficient nvidia.com/gpu.")


def test_the_next_attempt_and_its_place_are_on_record_before_anything_of_this_one_is_ended():
    """G1, F5: and what was moved has not failed."""
    job = waiting_on(ON_GPU)

    assert decide(job, facts(observation=UNSCHEDULED)) == d.ChooseHardware()
    moved = write(job, observation=UNSCHEDULED, placement=CPU)

    assert (moved.status.phase, moved.status.run.attempt, moved.status.run.failures) == ("Running", 2, 0)
    assert (moved.status.hardware.class_, moved.status.hardware.attempt) == ("cpu", 2)
    assert moved.status.run.op_id != job.status.run.op_id
    assert condition(moved, "Placed").message == f"cpu: {CPU.message}"
    assert "moved to cpu: Unschedulable" in condition(moved, "Trained").message
    assert decide(moved, facts(observation=NotStarted())) == d.Start()


@pytest.mark.parametrize(
    "seen",
    [Active(), Active(waiting="ImagePullBackOff: no such image"), Active(waiting="it is suspended")],
    ids=["at-work", "without-an-image", "suspended"],
)
def test_an_attempt_that_waits_for_something_else_is_left_alone(seen):
    """F5: least of all one that is at work."""
    decision = decide(waiting_on(ON_GPU), facts(observation=seen, placement=CPU))

    assert isinstance(decision, d.Wait) or decision.status.run.attempt == 1

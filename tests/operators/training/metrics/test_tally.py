"""What is counted of jobs' statuses, whichever of them were seen."""

from datetime import timedelta

import attrs
import msgspec
import pytest
from training_jobs import CARD, DATA, NOW, PASSING, PUBLISHED, RESULT, facts, new_job, with_new_spec, write

from windlass.informers.typed import unstructure
from windlass.operators.training.decision import Facts, Write, decide
from windlass.operators.training.executors.contract import Done, Lost
from windlass.operators.training.gate.types import CheckStatus, GateSpec, GateStatus
from windlass.operators.training.metrics.tally import Seen, Tally, read
from windlass.operators.training.phases import MACHINE
from windlass.operators.training.queues.places import Admitted

VERDICT = GateStatus("sha", True, "Passed", "", (CheckStatus("a", "fgsm", True, "Passed", "Robust", ""),))


def seen(job):
    return read(msgspec.json.encode(unstructure(job)["status"]))


def life(*, gate=None):
    """Every version of a job that loses its trainer once, a second apart."""
    job = new_job()
    job = attrs.evolve(job, spec=attrs.evolve(job.spec, gate=None if gate is None else GateSpec()))
    yield job
    steps = [
        {},
        {"data": DATA},
        {"place": Admitted()},
        {"observation": Lost("x", counted=True, resume_step=4)},
        {"observation": Done(RESULT)},
        {"evaluation": PASSING, "gate": gate},
        {"published": PUBLISHED},
        {"card": CARD},
    ]
    for number, known in enumerate(steps):
        decision = decide(job, Facts(now=NOW + timedelta(seconds=number), **known))
        assert isinstance(decision, Write)
        job = attrs.evolve(job, status=decision.status)
        yield job


def numbers(tally):
    """All of it, comparable."""
    return {
        **attrs.asdict(tally, recurse=False),
        "seconds": {k: (v.buckets(), v.total) for k, v in tally.seconds.items()},
    }


def told(versions):
    """The tally of somebody who saw these versions of one job."""
    tally, before = Tally(), None
    for job in versions:
        if before is None:
            tally.appear(seen(job), before=False)
        else:
            tally.change(seen(before), seen(job))
        before = job
    return tally


def test_a_life_is_counted_transition_by_transition():
    tally = told(life())

    assert (tally.attempts, tally.resumes) == (2, 1)
    assert {phase: count for phase, count in tally.ended.items() if count} == {"Succeeded": 1}
    assert {phase: count for phase, count in tally.jobs.items() if count} == {"Succeeded": 1}
    assert {phase: (one.count, one.total) for phase, one in tally.seconds.items() if one.count} == {
        "VerifyingData": (1, 1.0),
        "Queued": (1, 1.0),
        "Running": (1, 2.0),
        "Validating": (1, 1.0),
        "Publishing": (1, 1.0),
        "Carding": (1, 1.0),
    }


@pytest.mark.parametrize("every", [2, 3, 7])
def test_versions_that_nobody_saw_change_no_count(every):
    """Watches may skip versions; the journal has what was between."""
    versions = list(life(gate=VERDICT))

    assert numbers(told([*versions[:-1:every], versions[-1]])) == numbers(told(versions))


def test_what_was_there_before_is_counted_by_phase_alone():
    """A controller that is started again would count every life once more."""
    tally = Tally()
    *_, job = life()
    tally.appear(seen(job), before=True)

    assert tally.jobs["Succeeded"] == 1
    assert numbers(attrs.evolve(tally, jobs=Tally().jobs)) == numbers(Tally())


def test_a_status_that_is_written_again_counts_nothing():
    *_, job = life(gate=VERDICT)
    tally = told(life(gate=VERDICT))
    before = told(life(gate=VERDICT))
    tally.change(seen(job), seen(job))

    assert numbers(tally) == numbers(before)


def test_a_job_that_is_gone_is_in_no_phase():
    *versions, job = life()
    tally = told((*versions, job))
    tally.vanish(seen(job))

    assert not any(tally.jobs.values())
    assert tally.ended["Succeeded"] == 1


def test_verdicts_and_checks_are_counted_once_for_each_verdict():
    tally = told(life(gate=VERDICT))

    assert tally.verdicts == {"passed": 1, "refused": 0}
    assert tally.checks == {("fgsm", "Passed"): 1}


def test_a_gate_that_refuses_is_counted_and_so_is_the_failure():
    refused = attrs.evolve(VERDICT, passed=False)
    *before, _ = life()
    job = attrs.evolve(before[-3], spec=attrs.evolve(before[-3].spec, gate=GateSpec()))
    tally = told([job, write(job, evaluation=PASSING, gate=refused)])

    assert tally.verdicts == {"passed": 0, "refused": 1}
    assert tally.ended["Failed"] == 1


def test_a_new_generation_does_not_last_since_the_end_of_the_old_one():
    *versions, job = life()
    again = with_new_spec(job)
    decision = decide(again, attrs.evolve(facts(), discarded=frozenset({job.status.run.id})))
    versions += [job, attrs.evolve(again, status=decision.status)]

    assert told(versions).seconds["Pending"].count == 0


def test_every_phase_is_there_at_zero():
    tally = Tally()

    assert set(tally.jobs) == set(MACHINE.states)
    assert set(tally.seconds) | set(tally.ended) == set(MACHINE.states)


@pytest.mark.parametrize("status", [b"", b"{}", b'{"phase": 3}', b'{"journal": [{"at": "no time"}]}', b"\xff"])
def test_a_status_of_another_form_says_nothing(status):
    assert read(status) == Seen()

"""Whatever a check does or fails to do, the gate ends with a verdict, and only a true pass opens it (B1, B2, B8)."""

import asyncio
import json
import threading
from types import SimpleNamespace

import attrs
import pytest
from gate_subjects import subject

from windlass.operators.errors import CheckError, DataError
from windlass.operators.training.files import sha256_of
from windlass.operators.training.gate.contract import Deadline, Measurement
from windlass.operators.training.gate.evidence import evidence_fault
from windlass.operators.training.gate.registry import check_registry
from windlass.operators.training.gate.runner import run_gate
from windlass.operators.training.gate.types import CheckSpec, GateSpec

pytestmark = pytest.mark.realtime
GOOD = Measurement("Passed", "Fine", "as it should be", statistic=0.25, threshold=0.5, samples=10)


class Check:
    """A check that does what the test says, and counts how often."""

    def __init__(self, name, does):
        self.name, self.does, self.calls = name, does, 0

    def measure(self, subject, parameters, deadline):
        self.calls += 1
        return self.does(subject, parameters, deadline)


def raises(error):
    def does(*_):
        raise error

    return does


def answers(**changes):
    return lambda *_: attrs.evolve(GOOD, **changes)


def waits(_, parameters, deadline):
    """As a good check does: it looks up, and ends when nobody waits."""
    while True:
        deadline.check()
        threading.Event().wait(0.01)


def hangs(*_):
    threading.Event().wait()


def endless(*_):
    nested = []
    nested.append(nested)
    return attrs.evolve(GOOD, details={"nested": nested})


def registry_of(**does):
    registry = check_registry(discover=lambda: ())
    checks = {name: Check(name, one) for name, one in does.items()}
    for name, check in checks.items():
        registry.register(name, check)
    return registry, checks


def gate_of(*names, fail_fast=False, required=True, timeout=30.0, **parameters):
    specs = [CheckSpec(f"n-{name}", name, required, timeout, parameters) for name in names]
    return GateSpec(tuple(specs), fail_fast)


# Every way to give no answer, and the reason that is recorded for it.
NO_ANSWER = {
    "it says so": (raises(CheckError("no rows", reason="DataMissing")), "DataMissing"),
    "an exception": (raises(KeyError("x")), "CheckRaised"),
    "another error of ours": (raises(DataError("gone", reason="TableUnreachable")), "CheckRaised"),
    "out of memory": (raises(MemoryError()), "CheckRaised"),
    "it ends the program": (raises(SystemExit(0)), "CheckRaised"),
    "it is interrupted": (raises(KeyboardInterrupt()), "CheckRaised"),
    "the end of an iterator": (raises(StopIteration()), "CheckRaised"),
    "None": (lambda *_: None, "AnswerMalformed"),
    "True": (lambda *_: True, "AnswerMalformed"),
    "a look-alike": (lambda *_: SimpleNamespace(outcome="Passed"), "AnswerMalformed"),
    "a word that is none": (answers(outcome="passed"), "AnswerMalformed"),
    "no outcome": (answers(outcome=None), "AnswerMalformed"),
    "a reason that is no text": (answers(reason=None), "AnswerMalformed"),
    "details that are none": (answers(details=None), "AnswerMalformed"),
    "details without end": (endless, "AnswerMalformed"),
    "NaN": (answers(statistic=float("nan")), "NotANumber"),
    "infinity": (answers(statistic=float("inf")), "NotANumber"),
    "a threshold that is none": (answers(threshold=float("nan")), "NotANumber"),
    "unavailable": (answers(statistic="unavailable"), "NotANumber"),
    "a truth for a number": (answers(statistic=True), "NotANumber"),
    "a pass over nothing": (answers(samples=0), "NothingMeasured"),
    "a no over nothing": (answers(outcome="Failed", samples=0), "NothingMeasured"),
    "a count that is none": (answers(samples=1.5), "AnswerMalformed"),
    "it hangs": (hangs, "TimedOut"),
    "it waits": (waits, "TimedOut"),
    "its own error": (answers(outcome="Error", reason="Unsure"), "Unsure"),
}


@pytest.mark.parametrize("required", [True, False], ids=["required", "optional"])
@pytest.mark.parametrize("case", NO_ANSWER)
async def test_no_answer_is_an_error_which_blocks_if_the_check_is_required(case, required, tmp_path):
    """B1."""
    does, reason = NO_ANSWER[case]
    registry, _ = registry_of(odd=does, good=lambda *_: GOOD)
    timeout = 0.05 if reason == "TimedOut" else 30.0
    odd = gate_of("odd", required=required, timeout=timeout)
    gate = GateSpec((*odd.checks, *gate_of("good").checks))

    found = await run_gate(gate, subject(), registry=registry, evidence=tmp_path)

    assert [(one.outcome, one.reason) for one in found.checks] == [("Error", reason), ("Passed", "Fine")]
    assert found.passed is not required
    assert found.checks[0].statistic == (0.25 if reason == "Unsure" else None)
    assert evidence_fault(found, tmp_path) is None


@pytest.mark.parametrize("required", [True, False], ids=["required", "optional"])
async def test_a_check_that_does_not_exist_is_an_error_that_lists_those_that_do(required, tmp_path):
    registry, _ = registry_of(good=lambda *_: GOOD)
    gate = GateSpec((*gate_of("nosuch", required=required).checks, *gate_of("good").checks))

    found = await run_gate(gate, subject(), registry=registry, evidence=tmp_path)

    assert found.checks[0].reason == "CheckNotFound"
    assert "there is no check named 'nosuch'; known checks: drift, fgsm, good" in found.checks[0].message
    assert found.passed is not required


async def test_a_required_check_that_was_skipped_is_an_error_and_an_optional_one_is_not(tmp_path):
    """B4: Skipped only if it is not required."""
    registry, _ = registry_of(skips=answers(outcome="Skipped", reason="NoGradient"), good=lambda *_: GOOD)
    must = await run_gate(gate_of("skips", "good"), subject(), registry=registry, evidence=tmp_path)
    optional = GateSpec((*gate_of("skips", required=False).checks, *gate_of("good").checks))
    may = await run_gate(optional, subject(), registry=registry, evidence=tmp_path)

    assert (must.checks[0].outcome, must.checks[0].reason, must.passed) == ("Error", "RequiredButSkipped", False)
    assert (may.checks[0].outcome, may.checks[0].reason, may.passed) == ("Skipped", "NoGradient", True)


async def test_nothing_is_carried_out_for_a_gate_that_could_not_open(tmp_path):
    registry, checks = registry_of(good=lambda *_: GOOD)

    found = await run_gate(gate_of("good", required=False), subject(), registry=registry, evidence=tmp_path)

    assert (found.passed, found.reason, found.checks) == (False, "GateInvalid", ())
    assert checks["good"].calls == 0


@pytest.mark.parametrize("bad", [answers(outcome="Failed"), raises(RuntimeError("x"))], ids=["no", "error"])
async def test_one_that_fails_stops_the_others_only_if_that_is_asked_for(bad, tmp_path):
    """B8. What there is already is kept."""
    registry, checks = registry_of(first=lambda *_: GOOD, bad=bad, last=lambda *_: GOOD)
    slow = await run_gate(gate_of("first", "bad", "last"), subject(), registry=registry, evidence=tmp_path)
    assert [one.outcome for one in slow.checks][::2] == ["Passed", "Passed"]

    fast = await run_gate(
        gate_of("first", "bad", "last", fail_fast=True), subject(), registry=registry, evidence=tmp_path
    )

    assert checks["last"].calls == 1
    assert fast.checks[:2] == tuple(
        attrs.evolve(one, duration_seconds=fast.checks[i].duration_seconds) for i, one in enumerate(slow.checks[:2])
    )
    assert (fast.checks[2].outcome, fast.checks[2].reason) == ("Skipped", "FailFast")
    assert not fast.passed
    assert evidence_fault(fast, tmp_path) is None


async def test_an_optional_one_that_fails_stops_nobody(tmp_path):
    registry, _ = registry_of(bad=answers(outcome="Failed"), good=lambda *_: GOOD)
    gate = GateSpec((*gate_of("bad", required=False).checks, *gate_of("good").checks), fail_fast=True)

    assert (await run_gate(gate, subject(), registry=registry, evidence=tmp_path)).passed


async def test_equal_inputs_and_seed_give_equal_documents_byte_for_byte(tmp_path):
    """B2."""
    gate = GateSpec(
        (
            CheckSpec("robust", "fgsm", parameters={"epsilon": 0.1, "maxSuccessRate": 0.9, "mode": "spsa"}),
            CheckSpec("accurate", "non-inferiority", parameters={"firstModel": "Block"}),
        )
    )
    registry = check_registry(discover=lambda: ())
    folders = [tmp_path / name for name in ("one", "other")]
    made = subject()
    found = [
        await run_gate(gate, attrs.evolve(made, incumbent=made.model), registry=registry, evidence=folder)
        for folder in folders
    ]

    files = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]

    assert files[0] == files[1]
    assert len(files[0]) == 2
    assert [one.evidence_sha256 for one in found[0].checks] == [one.evidence_sha256 for one in found[1].checks]
    other = await run_gate(gate, attrs.evolve(made, seed=8), registry=registry, evidence=tmp_path / "third")
    assert other.checks[0].evidence_sha256 not in {one.evidence_sha256 for one in found[0].checks}


async def test_the_document_says_what_was_asked_of_what_and_by_what(tmp_path):
    """B2: input digests, thresholds, statistic, n, seed, library versions; the duration stands in the status."""
    registry, _ = registry_of(good=lambda *_: attrs.evolve(GOOD, details={"odd": float("nan"), "set": {1}}))
    made = subject()

    found = await run_gate(gate_of("good", asked=3), made, registry=registry, evidence=tmp_path)

    content = (tmp_path / f"{found.checks[0].evidence_sha256}.json").read_bytes()
    said = json.loads(content)
    assert sha256_of(content) == found.checks[0].evidence_sha256
    assert said["inputs"] == {"model": made.model.digest, "evaluation": made.evaluation.digest()}
    assert (said["statistic"], said["threshold"], said["samples"], said["seed"]) == (0.25, 0.5, 10, 7)
    assert said["parameters"] == {"asked": 3}
    assert {"python", "numpy"} <= set(said["libraries"])
    assert said["details"] == {"odd": None, "set": "<set>"}
    assert "duration" not in content.decode()
    assert found.checks[0].duration_seconds >= 0


@pytest.mark.parametrize("spoil", ["gone", "changed", "another model", "another outcome"])
async def test_a_verdict_that_its_evidence_does_not_bear_out_is_found_out(spoil, tmp_path):
    """B2, A14."""
    registry, _ = registry_of(good=lambda *_: GOOD)
    found = await run_gate(gate_of("good"), subject(), registry=registry, evidence=tmp_path)
    path = tmp_path / f"{found.checks[0].evidence_sha256}.json"
    assert evidence_fault(found, tmp_path) is None
    if spoil == "gone":
        path.unlink()
    elif spoil == "changed":
        path.write_bytes(path.read_bytes().replace(b'"seed":7', b'"seed":8'))
    elif spoil == "another model":
        found = attrs.evolve(found, model_sha256="b" * 64)
    else:
        found = attrs.evolve(found, checks=(attrs.evolve(found.checks[0], outcome="Failed"),))

    assert "evidence of n-good" in evidence_fault(found, tmp_path)


async def test_a_full_disk_is_no_verdict(tmp_path):
    registry, _ = registry_of(good=lambda *_: GOOD)
    (tmp_path / "evidence").write_text("a file where the folder should be")

    with pytest.raises(OSError, match="evidence"):
        await run_gate(gate_of("good"), subject(), registry=registry, evidence=tmp_path / "evidence")


async def test_a_gate_that_is_cancelled_tells_its_check_to_end(tmp_path):
    began, ended = threading.Event(), threading.Event()

    def does(_, __, deadline):
        began.set()
        try:
            waits(_, __, deadline)
        finally:
            ended.set()

    registry, _ = registry_of(long=does)
    task = asyncio.create_task(run_gate(gate_of("long"), subject(), registry=registry, evidence=tmp_path))
    assert await asyncio.to_thread(began.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await asyncio.to_thread(ended.wait, 30)


def test_a_deadline_is_over_once_and_for_all():
    now = [100.0]
    deadline = Deadline(5.0, clock=lambda: now[0])
    now[0] = 104.0
    deadline.check()
    assert deadline.remaining() == 1.0
    now[0] = 105.0
    with pytest.raises(CheckError, match="no answer within 5 s") as caught:
        deadline.check()
    assert caught.value.reason == "TimedOut"


@pytest.mark.parametrize("required", [True, False])
async def test_a_check_is_not_put_to_a_model_that_it_cannot_judge(tmp_path, required):
    """B4: it says so, and where it is required that blocks; a check that names the kind is asked."""
    registry = check_registry(discover=lambda: ())
    knows, does_not = Check("knows", answers()), Check("does-not", answers())
    knows.kinds = ("peft", "classifier")
    for check in (knows, does_not):
        registry.register(check.name, check)
    gate = GateSpec((CheckSpec("knows", "knows"), CheckSpec("odd", "does-not", required=required)))

    found = await run_gate(gate, attrs.evolve(subject(), kind="peft"), registry=registry, evidence=tmp_path)

    assert (knows.calls, does_not.calls, found.passed) == (1, 0, not required)
    odd = found.checks[1]
    assert (odd.outcome, odd.reason) == (("Error", "RequiredButSkipped") if required else ("Skipped", "NotApplicable"))
    assert "does-not judges models of the kind classifier, and this one is peft" in odd.message

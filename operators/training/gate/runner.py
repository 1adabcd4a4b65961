"""Carries out the checks of a gate, one after the other, and always ends with a verdict: what goes wrong is a result.

Each check runs in a thread of its own that nothing waits for at exit, since a check that hangs must not keep the
program; its late answer is dropped. This module does not know what a check does, nor what is promoted.
"""

import asyncio
import contextlib
import math
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from windlass.controller.errors import ExecutorError, ExecutorNotFound
from windlass.operators.errors import CheckError
from windlass.operators.training.gate.contract import Deadline, Measurement
from windlass.operators.training.gate.evidence import document, keep
from windlass.operators.training.gate.registry import CheckRegistry
from windlass.operators.training.gate.subject import CLASSIFIER, Subject
from windlass.operators.training.gate.types import CheckSpec, CheckStatus, GateSpec, GateStatus
from windlass.operators.training.gate.verdict import blocks, fault_of, judge

__all__ = ("run_gate", "sound")

_MESSAGE_LENGTH_MAX: Final = 1024
_OUTCOMES: Final = ("Passed", "Failed", "Error", "Skipped")


async def run_gate(gate: GateSpec, subject: Subject, *, registry: CheckRegistry, evidence: Path) -> GateStatus:
    """The verdict on the subject's model. The documents of evidence lie in the folder `evidence` by then.

    Raises OSError when that folder cannot be written, for a full disk is no verdict. Again with the same arguments is
    harmless: equal evidence is one file.
    """
    results: list[CheckStatus] = []
    if fault_of(gate) is None:
        inputs = await asyncio.to_thread(subject.inputs)
        stopped = False
        for spec in gate.checks:
            began = time.monotonic()
            if stopped:
                found = Measurement("Skipped", "FailFast", "an earlier required check did not pass")
            else:
                found = sound(await _measure(spec, subject, registry), required=spec.required)
            took = time.monotonic() - began
            try:
                content = document(spec, found, inputs=inputs, seed=subject.seed)
            except (TypeError, ValueError, RecursionError) as error:
                found = _error("AnswerMalformed", f"what the check found is no JSON: {type(error).__name__}: {error}")
                content = document(spec, found, inputs=inputs, seed=subject.seed)
            digest = await asyncio.to_thread(keep, evidence, content)
            results.append(_result(spec, found, took, digest=digest))
            stopped = stopped or (gate.fail_fast and spec.required and blocks(results[-1]))
    return judge(gate, results, model_sha256=subject.model.digest)


def sound(found: object, *, required: bool) -> Measurement:
    """The measurement if it is one; else the error that stands for it (B1, B4)."""
    if not isinstance(found, Measurement):
        return _error("AnswerMalformed", f"expected a Measurement, found {type(found).__name__}")
    fault = _fault(found, required=required)
    return found if fault is None else _error(*fault, found)


def _fault(found: Measurement, *, required: bool) -> tuple[str, str] | None:
    """Why a measurement is none, as reason and message. A plugin's types are not taken on trust."""
    wanted = {"reason": str, "message": str, "samples": int, "details": dict}
    for name, kind in wanted.items():
        if not isinstance(getattr(found, name), kind):
            return "AnswerMalformed", f"{name}: expected {kind.__name__}, found {type(getattr(found, name)).__name__}"
    if found.outcome not in _OUTCOMES:
        return "AnswerMalformed", f"outcome: expected one of {', '.join(_OUTCOMES)}, found {found.outcome!r}"
    for name in ("statistic", "threshold"):
        number = getattr(found, name)
        if number is not None and not _is_finite(number):
            return "NotANumber", f"the {name} is {number!r}"
    if found.outcome in ("Passed", "Failed") and found.samples < 1:
        return "NothingMeasured", f"it says {found.outcome} of {found.samples} samples"
    if found.outcome == "Skipped" and required:
        return "RequiredButSkipped", f"it is required, and was skipped: {found.message}"
    return None


async def _measure(spec: CheckSpec, subject: Subject, registry: CheckRegistry) -> object:
    deadline = Deadline(spec.timeout_seconds)

    def work() -> object:
        try:
            check = registry.get(spec.check)
            kinds = getattr(check, "kinds", (CLASSIFIER,))
            if subject.kind not in kinds:
                told = f"{spec.check} judges models of the kind {', '.join(kinds)}, and this one is {subject.kind}"
                return Measurement("Skipped", "NotApplicable", told)
            return check.measure(subject, spec.parameters, deadline)
        except CheckError as error:
            return _error(error.reason, str(error))
        except ExecutorError as error:
            return _error("CheckNotFound" if isinstance(error, ExecutorNotFound) else "CheckBroken", str(error))
        except BaseException as error:  # of a foreign plugin; SystemExit, too, is only its failure
            return _error("CheckRaised", f"{type(error).__name__}: {error}")

    try:
        async with asyncio.timeout(spec.timeout_seconds):
            return await _in_daemon(work, name=f"check {spec.name}")
    except TimeoutError:
        return _error("TimedOut", f"no answer within {spec.timeout_seconds:g} s")
    finally:
        deadline.give_up()


async def _in_daemon(work: Callable[[], object], *, name: str) -> object:
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[object] = loop.create_future()

    def settle(found: object) -> None:
        if not answered.done():
            answered.set_result(found)

    def run() -> None:
        found = work()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, found)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await answered


def _result(spec: CheckSpec, found: Measurement, took: float, *, digest: str) -> CheckStatus:
    return CheckStatus(
        name=spec.name,
        check=spec.check,
        required=spec.required,
        outcome=found.outcome,
        reason=found.reason,
        message=found.message[:_MESSAGE_LENGTH_MAX],
        samples=found.samples,
        duration_seconds=round(took, 3),
        evidence_sha256=digest,
        statistic=found.statistic,
        threshold=found.threshold,
    )


def _error(reason: str, message: str, found: Measurement | None = None) -> Measurement:
    """What stands for an answer that is none; the details of what was found are kept, its numbers are not."""
    details = found.details if found is not None and isinstance(found.details, dict) else {}
    return Measurement("Error", reason, message, details=details)


def _is_finite(number: object) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number)

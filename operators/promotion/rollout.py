"""While a release is rolled out, each look decides between going back, waiting and going on, in this order.

Back, when it is to be taken back, when the target or a check is in trouble for longer than is borne, or when what was
asked for does not come about in time. On, when the split that was asked for is the split that is observed (A16). An
observed split that strays starts the clock of its step anew. This module is called only with a target that is as the
last operation left it.
"""

from datetime import timedelta

from windlass.operators.promotion.checks import baselines_of, judge
from windlass.operators.promotion.facts import Decision, Facts, Measure, Wait
from windlass.operators.promotion.moves import intend, move, next_second, note, plan_digest
from windlass.operators.promotion.targets.contract import Sight, Trouble
from windlass.operators.promotion.types import CandidateStatus, CauseStatus, CheckStatus, Promotion

__all__ = ("age", "hold", "promote", "shift", "stay", "take_back")


def _unwanted(promotion: Promotion) -> tuple[str, str] | None:
    """Why the promotion is to be taken back, whatever the target says."""
    if promotion.metadata.deletion_timestamp is not None:
        return "Deleted", "the promotion is being deleted"
    if promotion.spec.mode == "Aborted":
        return "Aborted", "spec.mode is Aborted"
    if plan_digest(promotion) != promotion.status.plan_digest:
        return "SpecChanged", "target, release or steps were changed; a promotion does not change, make another one"
    return None


def take_back(promotion: Promotion, facts: Facts, sight: Sight, why: tuple[str, str], **changes: object) -> Decision:
    """Roll back: put on record that the previous release and split are to be asked for again (A16).

    Not to a release that is gone while the candidate answers: the weights stay, and once it serves again it gets them.
    """
    if sight.gone and sight.trouble is None:
        return note(promotion, facts, ("PreviousNotServing", f"{why[1]}; {sight.gone}, so the weights stay"))
    status, operation = promotion.status, promotion.status.operation
    seen = status.candidate or (CandidateStatus(sight.candidate) if sight.candidate else None)
    previous = "nothing" if status.previous is None else status.previous.revision or "nothing"
    reason, message = (
        why[0],
        f"from {seen.revision if seen else 'a candidate not yet seen'} back to {previous}: {why[1]}",
    )
    known = {"weight": 0, "candidate": seen, "cause": CauseStatus(reason, message), **changes}
    if operation is not None and operation.name in ("introduce", "deploy") and operation.finished_at is None:
        # The target refused the first write, so there is nothing to take back.
        return move(promotion, facts, "roll back", (reason, message), operations=(), **known)
    if seen is None and sight.trouble is None and age(promotion, facts) <= promotion.spec.guards.progress_deadline:
        # Only once the candidate's revision is known can it be told from the one that going back will make.
        return note(promotion, facts, ("WaitingForCandidate", why[1]))
    withdraw = intend(promotion, facts, name="withdraw", weight=0)
    return move(promotion, facts, "roll back", (reason, message), operations=withdraw, **known)


def shift(promotion: Promotion, facts: Facts, sight: Sight) -> Decision:
    """A weight was asked for; go on when it is reached."""
    early = _back_or_borne(promotion, facts, sight)
    if early is not None:
        return early
    if not sight.reached:
        return _wait_until_reached(promotion, facts, sight)
    checks = promotion.spec.guards.metrics
    if any(check.per is not None for check in checks) and facts.readings is None:
        return Measure()
    baselines, without = baselines_of(checks, facts.readings or {})
    if without:
        return _wait_until_reached(promotion, facts, sight, f"the check {without} has no answer yet")
    message = f"{promotion.status.weight} % at {sight.candidate}"
    return move(promotion, facts, "reach", ("Reached", message), baselines=baselines)


def hold(promotion: Promotion, facts: Facts, sight: Sight) -> Decision:
    """A weight is reached; go on when it was held for long enough."""
    early = _back_or_borne(promotion, facts, sight, measured=True)
    if early is not None:
        return early
    if promotion.spec.mode == "Paused":
        return move(promotion, facts, "pause", ("Paused", f"at {promotion.status.weight} %"))
    if not sight.reached:
        return move(promotion, facts, "waver", ("SplitStrayed", f"observed {_shown(sight)}"))
    step = promotion.spec.steps[promotion.status.step]
    over = age(promotion, facts) - step.duration
    if step.duration and over < timedelta(0):
        return Wait(min(facts.look_seconds, max(-over.total_seconds(), 0.001)))
    verdicts = _verdicts(promotion, facts)
    unanswered = [one for one in verdicts if not one.passed]
    if unanswered:
        return _wait_for_answers(promotion, facts, sight, unanswered)
    return _next_step(promotion, facts, sight, verdicts)


def _next_step(promotion: Promotion, facts: Facts, sight: Sight, verdicts: tuple[CheckStatus, ...]) -> Decision:
    following = promotion.status.step + 1
    if following == len(promotion.spec.steps):
        why = ("Promoting", f"every step was held; {sight.candidate} gets everything")
        operations = intend(promotion, facts, name="complete", weight=100)
        return move(promotion, facts, "promote", why, weight=100, operations=operations, checks=verdicts)
    weight = promotion.spec.steps[following].weight
    operations = intend(promotion, facts, name="shift", weight=weight)
    changes = {"step": following, "weight": weight, "operations": operations, "checks": verdicts}
    return move(promotion, facts, "step", ("Shifting", f"to {weight} %"), **changes)


def stay(promotion: Promotion, facts: Facts, sight: Sight) -> Decision:
    """It is paused: the weights stay, and trouble still takes it back."""
    early = _back_or_borne(promotion, facts, sight, measured=True)
    if early is not None:
        return early
    if promotion.spec.mode == "Run":
        return move(promotion, facts, "resume", ("Resumed", f"at {promotion.status.weight} %, the step begins anew"))
    return Wait(facts.look_seconds)


def promote(promotion: Promotion, facts: Facts, sight: Sight) -> Decision:
    """Everything was asked for; end when it is there."""
    early = _back_or_borne(promotion, facts, sight)
    if early is not None:
        return early
    if not sight.reached:
        return _wait_until_reached(promotion, facts, sight)
    previous = promotion.status.previous
    after = f", after {previous.revision}" if previous is not None and previous.revision else ""
    first = ", the first deployment, without a canary" if previous is not None and previous.first else ""
    return move(promotion, facts, "finish", ("Promoted", f"{sight.candidate} serves everything{after}{first}"))


def _back_or_borne(promotion: Promotion, facts: Facts, sight: Sight, *, measured: bool = False) -> Decision | None:
    """What must be decided before anything else; None to go on."""
    why = _unwanted(promotion)
    if why is not None:
        return take_back(promotion, facts, sight, why)
    status = promotion.status
    if status.candidate is None and sight.candidate:
        return note(promotion, facts, ("CandidateSeen", sight.candidate), candidate=CandidateStatus(sight.candidate))
    if measured and promotion.spec.guards.metrics and facts.readings is None and sight.trouble is None:
        return Measure()
    verdicts = _verdicts(promotion, facts) if measured else ()
    trouble = sight.trouble or _failing(verdicts)
    if trouble is not None:
        return _bear(promotion, facts, sight, trouble)
    if status.trouble_since is not None:
        return note(promotion, facts, ("Recovered", "the trouble has passed"), trouble_since=None)
    return None


def _bear(promotion: Promotion, facts: Facts, sight: Sight, trouble: Trouble) -> Decision:
    """No weight is raised on a target that is not well; for how long it may be so, the guards say."""
    since = promotion.status.trouble_since or next_second(facts.now)
    grace = promotion.spec.guards.failure_grace
    if trouble.final or not grace or facts.now - since > grace:
        verdicts = _verdicts(promotion, facts)
        kept = {"checks": verdicts} if verdicts else {}
        return take_back(promotion, facts, sight, (trouble.reason, trouble.message), **kept)
    # The numbers of a check change from look to look, and a status that repeats them would be written as often.
    said = trouble.message if sight.trouble is not None else "a check is out of its bounds"
    return note(promotion, facts, (trouble.reason, said), trouble_since=since)


def _failing(verdicts: tuple[CheckStatus, ...]) -> Trouble | None:
    """A check that has a number out of its bounds. One without an answer is not in trouble, and has not passed."""
    for one in verdicts:
        if not one.passed and one.value is not None:
            return Trouble("CheckFailed", f"{one.name}: {one.message}")
    return None


def _verdicts(promotion: Promotion, facts: Facts) -> tuple[CheckStatus, ...]:
    readings = facts.readings or {}
    return tuple(
        judge(check, readings[check.name], promotion.status.baselines)
        for check in promotion.spec.guards.metrics
        if check.name in readings
    )


def _wait_until_reached(promotion: Promotion, facts: Facts, sight: Sight, what: str = "") -> Decision:
    what = what or f"observed {_shown(sight)}"
    if age(promotion, facts) > promotion.spec.guards.progress_deadline:
        return take_back(promotion, facts, sight, ("ProgressDeadlineExceeded", what))
    return note(promotion, facts, ("WaitingForWeight", f"{promotion.status.weight} % was asked for, {what}"))


def _wait_for_answers(promotion: Promotion, facts: Facts, sight: Sight, unanswered: list[CheckStatus]) -> Decision:
    first = unanswered[0]
    over = age(promotion, facts) - promotion.spec.steps[promotion.status.step].duration
    if over > promotion.spec.guards.progress_deadline:
        why = ("ChecksInconclusive", f"{first.name}: {first.message}")
        return take_back(promotion, facts, sight, why, checks=tuple(unanswered))
    return note(promotion, facts, ("WaitingForChecks", f"{first.name}: {first.message}"))


def age(promotion: Promotion, facts: Facts) -> timedelta:
    """How long the phase has lasted, or its clock has run; less than nothing within its first second."""
    return facts.now - (promotion.status.since or facts.now)


def _shown(sight: Sight) -> str:
    split = ", ".join(f"{percent} % at {revision}" for revision, percent in sorted(sight.split.items()))
    return f"{split or 'no traffic'}, candidate {sight.candidate or 'not yet seen'}"

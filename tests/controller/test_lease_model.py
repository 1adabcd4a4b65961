"""Two candidates for one Lease, every order of seconds, answers and losses within the bounds: one leads at most."""

import attrs
import pytest

from windlass.controller import lease
from windlass.controller.election import Candidacy
from windlass.controller.lease import (
    Due,
    Failed,
    Found,
    Get,
    Leading,
    LeaseRecord,
    Missing,
    Over,
    Put,
    Refused,
    Standby,
    Wait,
    Wrote,
    leads,
    step,
)
from windlass.statemachine.modelcheck import Invariant, Model, explore

TIMES = {"lease_seconds": 3, "renew_seconds": 2.0, "retry_seconds": 1.0}


@attrs.frozen(cache_hash=True)
class Request:
    """On its way: to the server as long as there is no `answer`, and then back."""

    what: Get | Put
    sent_at: float
    answer: object = None


@attrs.frozen(cache_hash=True)
class Member:
    state: lease.State
    due: float | None = 0.0
    request: Request | None = None
    late: Request | None = None  # given up by its sender, and may arrive yet


@attrs.frozen(cache_hash=True)
class Group:
    now: float
    members: tuple[Member, ...]
    record: LeaseRecord | None = None
    version: int = 0
    losses: int = 0

    def __str__(self):
        names = ", ".join(
            f"{type(member.state).__name__}{'!' if leads(member.state, self.now) else ''}" for member in self.members
        )
        return f"t={self.now:g} {names}; held by {self.record.holder if self.record else 'nobody'!r}"


def told(group, index, event, **changes):
    """The group after a candidate was told something."""
    state, effects = step(group.members[index].state, event, group.now)
    member = attrs.evolve(group.members[index], state=state, **changes)
    for effect in effects:
        if isinstance(effect, Get | Put):
            member = attrs.evolve(member, request=Request(effect, group.now), due=None)
        elif isinstance(effect, Wait):
            member = attrs.evolve(member, due=effect.at)
    return with_member(group, index, member)


def with_member(group, index, member):
    return attrs.evolve(group, members=(*group.members[:index], member, *group.members[index + 1 :]))


def served(group, request):
    """The server's part: the group with the write made, and the answer."""
    if isinstance(request.what, Get):
        found = Missing() if group.record is None else Found(group.record, str(group.version), request.sent_at)
        return group, found
    present = None if group.record is None else str(group.version)
    if request.what.version != present:
        return group, Refused()
    after = attrs.evolve(group, record=request.what.record, version=group.version + 1)
    return after, Wrote(request.what.record, str(after.version), request.sent_at)


def life(*, horizon, losses, times=TIMES):
    def moves(group):
        if group.now < horizon:
            yield "a second passes", attrs.evolve(group, now=group.now + 1)
        for index, member in enumerate(group.members):
            yield from of(group, index, member)

    def of(group, index, member):
        name = "ab"[index]
        request = member.request
        if request is None:
            if member.due is not None and group.now >= member.due and not isinstance(member.state, Over):
                yield f"{name}: due", told(group, index, Due(), due=None)
        elif request.answer is None:
            after, answer = served(group, request)
            yield (
                f"{name}: served",
                with_member(after, index, attrs.evolve(member, request=attrs.evolve(request, answer=answer))),
            )
        else:
            yield f"{name}: answered", told(group, index, request.answer, request=None)
        if request is not None and group.losses < losses:
            late = request if request.answer is None else None
            lost = told(attrs.evolve(group, losses=group.losses + 1), index, Failed("lost"), request=None, late=late)
            yield f"{name}: no answer", lost
        if member.late is not None:
            after, _ = served(group, member.late)
            yield f"{name}: served late", with_member(after, index, attrs.evolve(member, late=None))

    members = tuple(Member(Standby(Candidacy(name, **times))) for name in "ab")
    return Group(0.0, members), moves


def both(before, after):
    leading = sum(leads(member.state, after.now) for member in after.members)
    return f"{leading} lead at once" if leading > 1 else None


def ended(before, after):
    for old, new in zip(before.members, after.members, strict=True):
        if isinstance(old.state, Over) and old.state != new.state:
            return f"what was over is {type(new.state).__name__}"
    return None


HELD = (Invariant("one leader", both), Invariant("over is over", ended))


@pytest.mark.parametrize(("horizon", "losses"), [(4, 0), (3, 1)], ids=["a take-over", "an answer is lost"])
def test_at_most_one_leads_whatever_is_late_or_lost(horizon, losses):
    """L1, L4: within seconds enough for a Lease of three to run out and be taken over."""
    group, moves = life(horizon=horizon, losses=losses)
    report = explore(Model("lease", (group,), moves, invariants=HELD)).require()

    seen = {type(member.state) for one in report.reached for member in one.members}
    assert seen == {Standby, Leading, Over}
    assert {index for one in report.reached for index in (0, 1) if leads(one.members[index].state, one.now)} == {0, 1}


def test_a_lease_that_runs_out_before_the_belief_in_it_is_found_out():
    """Planted: the order of the two times that `LeaderElection` refuses (L15)."""
    group, moves = life(horizon=4, losses=0, times={**TIMES, "lease_seconds": 1})
    found = explore(Model("lease", (group,), moves, invariants=HELD)).violation

    assert found.message == "2 lead at once"
    assert [label for label, _ in found.trace].count("a second passes") == 1

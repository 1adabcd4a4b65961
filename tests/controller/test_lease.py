"""The decisions about a Lease: by table, and by a model of several candidates on a network that does its worst."""

import itertools
import random

import attrs
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from windlass.controller.election import Candidacy
from windlass.controller.lease import (
    Due,
    Failed,
    FencingToken,
    Found,
    Get,
    Lead,
    Leading,
    LeaseRecord,
    Missing,
    Over,
    Put,
    Quit,
    Refused,
    Releasing,
    Standby,
    Stop,
    Wait,
    Wrote,
    leads,
    step,
)

ME = Candidacy("me", lease_seconds=15, renew_seconds=10.0, retry_seconds=2.0)
OTHERS = LeaseRecord("other", 15, 3, "2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:00.000000Z")


def found(record=OTHERS, version="7", *, at):
    return Found(record, version, at)


def leading(at=0.0, version="100", transitions=4):
    """A leader whose acquisition was sent at `at`."""
    record = LeaseRecord("me", 15, transitions, "acquired", "renewed")
    state, effects = step(Standby(ME, asking=True), Wrote(record, version, at), at)
    assert effects == (Lead(FencingToken(int(version), transitions)), Wait(at + 2.0))
    return state


# Acquiring (scenario 49).


def test_a_candidate_looks_first():
    assert step(Standby(ME), Due(), 0.0) == (Standby(ME, asking=True), (Get(),))


def test_a_lease_that_is_not_there_is_made():
    _, effects = step(Standby(ME, asking=True), Missing(), 0.0)
    assert effects == (Put(LeaseRecord("me", 15, 0), None),)


def test_a_lease_without_a_holder_is_taken_at_once():
    """L3, L6."""
    record = LeaseRecord("", 1, 3, "long ago", "long ago")
    _, effects = step(Standby(ME, asking=True), found(record, at=0.0), 0.0)
    assert effects == (Put(LeaseRecord("me", 15, 4), "7"),)


def test_a_lease_in_my_own_name_is_taken_at_once_under_a_new_token():
    """A former life of this process must not pass for this one."""
    record = attrs.evolve(OTHERS, holder="me")
    _, effects = step(Standby(ME, asking=True), found(record, at=0.0), 0.0)
    assert effects == (Put(LeaseRecord("me", 15, 4), "7"),)


@pytest.mark.parametrize(
    "skew", ["1970-01-01T00:00:00.000000Z", "2026-11-23T14:00:00.000000Z", "2999-01-01T00:00:00.000000Z", "nonsense"]
)
def test_a_newcomer_waits_a_whole_lease_from_first_sight_whatever_the_times_in_the_record_say(skew):
    """L1, L2."""
    record = attrs.evolve(OTHERS, renew_time=skew, acquire_time=skew)
    state, effects = step(Standby(ME, asking=True), found(record, at=50.0), 50.0)
    assert effects == (Wait(52.0, spread=2.4),)
    state, effects = step(state, found(record, at=64.9), 64.9)
    assert effects == (Wait(66.9, spread=2.4),)
    _, effects = step(state, found(record, at=65.0), 65.0)
    assert effects == (Put(LeaseRecord("me", 15, 4), "7"),)


def test_each_change_of_the_lease_starts_the_wait_anew():
    """L1."""
    state, _ = step(Standby(ME, asking=True), found(version="7", at=0.0), 0.0)
    state, _ = step(state, found(version="8", at=14.0), 14.0)
    state, effects = step(state, found(version="8", at=28.0), 28.0)
    assert isinstance(effects[0], Wait)
    _, effects = step(state, found(version="8", at=29.0), 29.0)
    assert isinstance(effects[0], Put)


@pytest.mark.parametrize(("recorded", "taken_at"), [(5, 5.0), (60, 60.0)])
def test_the_duration_in_the_record_counts_not_mine(recorded, taken_at):
    """L4."""
    record = attrs.evolve(OTHERS, lease_seconds=recorded)
    state, _ = step(Standby(ME, asking=True), found(record, at=0.0), 0.0)
    state, early = step(state, found(record, at=taken_at - 0.1), taken_at - 0.1)
    assert isinstance(early[0], Wait)
    assert isinstance(step(state, found(record, at=taken_at), taken_at)[1][0], Put)


def test_an_answer_that_was_long_on_its_way_proves_nothing_about_now():
    """Asked at 1 s, heard at 100 s: the holder may have renewed in between."""
    state, _ = step(Standby(ME, asking=True), found(at=0.0), 0.0)
    _, effects = step(state, found(at=1.0), 100.0)
    assert isinstance(effects[0], Wait)


@pytest.mark.parametrize("event", [Refused(), Failed("no answer")], ids=["refused", "failed"])
def test_a_take_over_that_does_not_succeed_is_followed_by_another_look(event):
    state, effects = step(Standby(ME, asking=True), event, 20.0)
    assert (state, effects) == (Standby(ME), (Wait(22.0, spread=2.4),))


def test_what_was_won_while_paused_for_longer_than_it_lasts_is_not_believed():
    """The answer comes when another may long have taken over."""
    wrote = Wrote(LeaseRecord("me", 15, 4), "100", 0.0)
    state, effects = step(Standby(ME, asking=True), wrote, 10.0)
    assert isinstance(state, Standby)
    assert effects == (Wait(12.0, spread=2.4),)


def test_belief_is_counted_from_the_sending_of_what_won_it_not_from_the_hearing():
    """L5: others count from when they first saw it, and that may be as early as its sending."""
    state, _ = step(Standby(ME, asking=True), Wrote(LeaseRecord("me", 15, 4), "100", 0.0), 3.0)
    assert state.until == 10.0


def test_a_standby_that_is_stopped_never_leads():
    """M3, L11."""
    assert step(Standby(ME), Stop(), 0.0) == (Over(), (Quit(),))
    state, effects = step(Standby(ME, asking=True), Stop(), 0.0)
    assert effects == ()
    state, effects = step(state, Wrote(LeaseRecord("me", 15, 4), "100", 0.0), 0.1)
    assert effects == (Put(LeaseRecord("", 1, 4), "100"),)
    assert not leads(state, 0.1)
    assert step(state, Wrote(LeaseRecord("", 1, 4), "101", 0.1), 0.2) == (Over(), (Quit(),))


@pytest.mark.parametrize(
    "answer", [found(at=0.0), Missing(), Refused(), Failed("no answer")], ids=lambda one: type(one).__name__
)
def test_a_standby_that_is_stopped_while_it_asks_ends_with_the_answer(answer):
    """M3."""
    state, _ = step(Standby(ME, asking=True), Stop(), 0.0)
    assert step(state, answer, 0.1) == (Over(), (Quit(),))


# Leading.


def test_a_renewal_is_written_blindly_and_keeps_what_an_acquisition_sets():
    """L6, L7."""
    state, effects = step(leading(), Due(), 2.0)
    assert effects == (Put(LeaseRecord("me", 15, 4, "acquired", ""), "100"),)
    renewed = LeaseRecord("me", 15, 4, "acquired", "renewed again")
    state, effects = step(state, Wrote(renewed, "101", 2.0), 2.5)
    assert (state.until, state.token, effects) == (12.0, FencingToken(100, 4), (Wait(4.0),))


def test_a_conflict_with_my_own_name_in_it_costs_nothing():
    """L7."""
    state, effects = step(step(leading(), Due(), 2.0)[0], Refused(), 2.1)
    assert effects == (Get(),)
    touched = LeaseRecord("me", 15, 4, "acquired", "renewed")
    state, effects = step(state, found(touched, "105", at=2.1), 2.2)
    assert effects == (Put(LeaseRecord("me", 15, 4, "acquired", ""), "105"),)
    assert leads(state, 2.2)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (LeaseRecord("other", 15, 5), "it is held by 'other'"),
        (LeaseRecord("", 1, 4), "somebody has cleared its holder"),
        (LeaseRecord("me", 15, 5), "it is held by 'me'"),
    ],
    ids=["another", "nobody", "namesake"],
)
def test_another_holder_ends_leadership_at_once(record, reason):
    """L8."""
    state, _ = step(step(leading(), Due(), 2.0)[0], Refused(), 2.1)
    assert step(state, found(record, "105", at=2.1), 2.2) == (Over(reason), (Quit(reason),))


def test_a_lease_that_somebody_has_deleted_is_lost():
    state, _ = step(step(leading(), Due(), 2.0)[0], Refused(), 2.1)
    reason = "somebody has deleted it"
    assert step(state, Missing(), 2.2) == (Over(reason), (Quit(reason),))


def test_a_leader_gives_up_at_its_own_deadline_and_no_earlier():
    """L5: 10 s after the last acknowledged renewal was sent; nobody else begins before 15 s after it."""
    state = leading()
    for start, end in [(2.0, 7.0), (8.5, 9.9)]:
        state, effects = step(state, Due(), start)
        assert isinstance(effects[0], Put)
        state, effects = step(state, Failed("no answer"), end)
        assert leads(state, end)
    assert effects == (Wait(10.0),)
    state, effects = step(state, Due(), 10.0)
    assert effects == (Quit("no renewal was acknowledged within 10 s"),)
    assert not leads(state, 10.0)


def test_a_failed_renewal_is_repeated_at_the_pace_of_the_retry_period():
    state, _ = step(leading(), Due(), 2.0)
    assert step(state, Failed("connection refused"), 2.1)[1] == (Wait(4.0),)
    assert step(state, Failed("no answer"), 7.0)[1] == (Wait(7.0),), "one that hung is followed at once"


def test_belief_ends_by_the_clock_without_any_event():
    """L5, L12: also when the loop was blocked and nothing could be told."""
    state = leading()
    assert leads(state, 9.999)
    assert not leads(state, 10.0)


@pytest.mark.parametrize(
    "event", [Due(), Refused(), Missing(), found(at=9.0), Wrote(LeaseRecord("me", 15, 4), "101", 9.0)], ids=repr
)
def test_belief_that_has_ended_does_not_return(event):
    """Also when the answer to a renewal comes at last: work may have been stopped meanwhile."""
    state, effects = step(attrs.evolve(leading(), asking=True), event, 10.0)
    assert isinstance(state, Over)
    assert effects == (Quit(state.lost),)
    assert state.lost


def test_tokens_grow_with_the_acquisition_and_survive_the_loss_of_the_lease():
    assert FencingToken(100, 4) < FencingToken(101, 5)
    assert FencingToken(101, 5) < FencingToken(205, 0), "deleted and made anew"
    assert FencingToken.parse(str(FencingToken(101, 5))) == FencingToken(101, 5)


@pytest.mark.parametrize("text", ["", "7", "7.", ".7", "a.b", "-1.2", "1.2.3"])
def test_what_is_no_token_is_refused(text):
    with pytest.raises(ValueError, match=r"expected 'revision\.transitions'"):
        FencingToken.parse(text)


# Giving back.


def test_a_release_clears_the_holder_and_leaves_one_second():
    """L9."""
    state, effects = step(leading(), Stop(), 5.0)
    assert effects == (Put(LeaseRecord("", 1, 4, "acquired", ""), "100"),)
    assert not leads(state, 5.0)


def test_a_release_that_conflicts_is_repeated_until_the_renew_deadline():
    """L9, scenario 50."""
    state, _ = step(leading(), Stop(), 5.0)
    mine = LeaseRecord("me", 15, 4, "acquired", "renewed")
    for now in (5.1, 14.0):
        state, effects = step(state, Refused(), now)
        assert effects == (Get(),)
        state, effects = step(state, found(mine, f"2{now}", at=now), now)
        assert effects == (Put(LeaseRecord("", 1, 4, "acquired", ""), f"2{now}"),)
    assert step(state, Refused(), 15.0) == (Over(), (Quit(),))


def test_a_release_without_an_answer_is_tried_again():
    """L9."""
    state, _ = step(leading(), Stop(), 5.0)
    state, effects = step(state, Failed("no answer"), 10.0)
    assert effects == (Wait(12.0),)
    state, effects = step(state, Due(), 12.0)
    assert effects == (Get(),)
    assert step(state, found(LeaseRecord("", 1, 4), "201", at=12.0), 12.1) == (Over(), (Quit(),)), "it had arrived"


def test_a_release_waits_for_the_renewal_that_is_under_way():
    state, _ = step(leading(), Due(), 4.0)
    state, effects = step(state, Stop(), 4.1)
    assert effects == ()
    state, effects = step(state, Wrote(LeaseRecord("me", 15, 4, "acquired", "x"), "101", 4.0), 4.2)
    assert effects == (Put(LeaseRecord("", 1, 4, "acquired", ""), "101"),)


def test_a_release_leaves_alone_what_another_holds():
    state, _ = step(leading(), Stop(), 5.0)
    state, _ = step(state, Refused(), 5.1)
    assert step(state, found(at=5.1), 5.2) == (Over(), (Quit(),))


def test_what_is_over_stays_over():
    for event in (Due(), found(at=0.0), Missing(), Wrote(OTHERS, "1", 0.0), Refused(), Failed(""), Stop()):
        assert step(Over("lost"), event, 0.0) == (Over("lost"), ())


# The model.


@attrs.define
class Message:
    """A request on its way."""

    sender: int
    number: int
    effect: Get | Put
    sent_at: float


class Candidate:
    """A state, and what a shell does for it."""

    def __init__(self, identity, now):
        self.state = Standby(Candidacy(identity, 15, 10.0, 2.0))
        self.due = now
        self.request = None
        self.paused = False
        self.cut = False
        self.inbox = []


class Candidates(RuleBasedStateMachine):
    """Up to four candidates, one Lease; requests and answers are lost, late or doubled, processes pause and stop.

    Wall clocks are an hour off either way: they are written into the record, and must matter to nobody.
    """

    def __init__(self):
        super().__init__()
        self.now = 1000.0
        self.version = 100
        self.record = None
        self.messages = []
        self.candidates = []
        self.numbers = itertools.count()
        self.tokens = []
        self.accepted = None

    @initialize(count=st.integers(2, 4))
    def begin(self, count):
        for number in range(count):
            self.candidates.append(Candidate(f"c{number}", self.now))
        self.run_timers()

    @rule(seconds=st.sampled_from([0.1, 0.5, 1.0, 2.0, 5.0, 11.0, 16.0]))
    def time_passes(self, seconds):
        """In steps, because shells that are not paused do what is due in time."""
        steps = max(1, round(seconds / 0.1))
        for _ in range(steps):
            self.now += seconds / steps
            self.run_timers()

    @precondition(lambda self: self.messages)
    @rule(
        which=st.integers(0, 99),
        fate=st.sampled_from(["arrives", "arrives", "arrives", "lost", "answer lost", "doubled"]),
    )
    def a_request_meets_its_fate(self, which, fate):
        message = self.messages[which % len(self.messages)]
        if fate != "doubled":
            self.messages.remove(message)
        if fate != "lost":
            answer = self.serve(message)
            if fate != "answer lost":
                self.answer(message, answer)

    @rule()
    def requests_arrive(self):
        """All but those of processes that are cut off."""
        while arriving := [one for one in self.messages if not self.candidates[one.sender].cut]:
            for message in arriving:
                self.messages.remove(message)
                self.answer(message, self.serve(message))

    @rule(tenths=st.sampled_from([50, 99, 151]))
    def life_goes_on(self, tenths):
        self.pass_time(tenths)

    @rule(which=st.integers(0, 99))
    def a_process_is_cut_off_or_not_any_more(self, which):
        candidate = self.candidates[which % len(self.candidates)]
        candidate.cut = not candidate.cut

    @rule(which=st.integers(0, 99))
    def a_process_pauses_or_goes_on(self, which):
        candidate = self.candidates[which % len(self.candidates)]
        candidate.paused = not candidate.paused
        if not candidate.paused:
            inbox, candidate.inbox = candidate.inbox, []
            for number, event in inbox:
                self.tell_answer(candidate, number, event)
            self.run_timers()

    @precondition(lambda self: len(self.candidates) < 6)
    @rule(which=st.integers(0, 99))
    def a_process_stops_and_another_starts(self, which):
        candidate = self.candidates[which % len(self.candidates)]
        if not candidate.paused:
            self.tell(candidate, Stop())
            self.candidates.append(Candidate(f"c{len(self.candidates)}", self.now))
            self.run_timers()

    @rule(which=st.integers(0, 99))
    def somebody_touches_the_lease(self, which):
        if self.record is not None:
            self.version += 1

    @rule(which=st.integers(0, 99))
    def a_leader_writes_to_a_store_that_checks_tokens(self, which):
        """L13: it may be a leader no more and not know it; the newest one's writes are never overwritten."""
        writers = [one for one in self.candidates if isinstance(one.state, Leading)]
        if writers:
            token = writers[which % len(writers)].state.token
            if self.accepted is None or token >= self.accepted:
                self.accepted = token
            else:
                assert token < self.tokens[-1], "the newest leader is never refused"

    @invariant()
    def at_most_one_believes(self):
        believers = [one.state.me.identity for one in self.candidates if leads(one.state, self.now)]
        assert len(believers) <= 1

    @invariant()
    def tokens_grow(self):
        assert self.tokens == sorted(set(self.tokens))

    def teardown(self):
        """Once all is well again, somebody leads, if anybody still wants to."""
        for candidate in self.candidates:
            candidate.cut = False
            if candidate.paused:
                candidate.paused = False
                for number, event in candidate.inbox:
                    self.tell_answer(candidate, number, event)
        for _ in range(600):
            self.now += 0.1
            self.requests_arrive()
            self.run_timers()
            self.at_most_one_believes()
        alive = [one for one in self.candidates if not isinstance(one.state, Over)]
        assert len([one for one in alive if leads(one.state, self.now)]) == min(1, len(alive))
        assert not any(isinstance(one.state, Releasing) for one in alive)

    def walk(self, rng):
        """One random turn, of the kind that real life is made of: mostly nothing happens."""
        which = rng.randrange(100)
        leaders = [number for number, one in enumerate(self.candidates) if isinstance(one.state, Leading)]
        if leaders and rng.random() < 0.5:
            which = rng.choice(leaders)  # whoever matters
        self.heal(rng)
        draw = rng.random()
        if draw < 0.03 and not self.candidates[which % len(self.candidates)].paused:
            self.drama(rng, self.candidates[which % len(self.candidates)])
        elif draw < 0.1:
            self.a_process_pauses_or_goes_on(which)
        elif draw < 0.25:
            self.a_process_is_cut_off_or_not_any_more(which)
        elif draw < 0.28 and len(self.candidates) < 60:
            self.candidates.append(Candidate(f"c{len(self.candidates)}", self.now))
        elif draw < 0.31:
            self.tell_stop(self.candidates[which % len(self.candidates)])
        elif draw < 0.5 and self.messages:
            fate = rng.choice(["arrives", "arrives", "arrives", "lost", "answer lost", "doubled"])
            self.a_request_meets_its_fate(which, fate)
        for _ in range(rng.choice([1, 3, 10, 20, 50])):
            self.time_passes(0.1)
            if rng.random() < 0.7:
                self.requests_arrive()
            self.at_most_one_believes()

    def heal(self, rng):
        for number, candidate in enumerate(self.candidates):
            if candidate.paused and rng.random() < 0.2:
                self.a_process_pauses_or_goes_on(number)
            if candidate.cut and rng.random() < 0.2:
                self.a_process_is_cut_off_or_not_any_more(number)

    def drama(self, rng, victim):
        """It pauses with a request under way, hears the answer when it goes on, and is cut off right after."""
        for _ in range(30):
            if victim.request is None:
                self.time_passes(0.1)
        victim.paused, victim.cut = True, False
        self.pass_time(rng.choice([40, 70, 99, 130]))
        self.a_process_pauses_or_goes_on(self.candidates.index(victim))
        victim.cut = True
        self.pass_time(rng.choice([50, 99, 160]))
        victim.cut = False

    def pass_time(self, tenths):
        for _ in range(tenths):
            self.time_passes(0.1)
            self.requests_arrive()
            self.at_most_one_believes()

    def tell_stop(self, candidate):
        if not candidate.paused:
            self.tell(candidate, Stop())

    # The shells.

    def run_timers(self):
        for candidate in self.candidates:
            if candidate.paused:
                continue
            if candidate.request is not None:
                limit = candidate.request.sent_at + 5.0
                if isinstance(candidate.state, Leading):
                    limit = min(limit, candidate.state.until)
                if self.now >= limit:
                    candidate.request = None
                    self.tell(candidate, Failed("no answer"))
            elif candidate.due is not None and self.now >= candidate.due:
                candidate.due = None
                self.tell(candidate, Due())

    def tell(self, candidate, event):
        candidate.state, effects = step(candidate.state, event, self.now)
        for effect in effects:
            match effect:
                case Get() | Put():
                    candidate.request = Message(self.candidates.index(candidate), next(self.numbers), effect, self.now)
                    candidate.due = None
                    self.messages.append(candidate.request)
                case Wait(at, _):
                    candidate.due = at
                case Lead(token):
                    self.tokens.append(token)

    def answer(self, message, event):
        candidate = self.candidates[message.sender]
        if candidate.paused:
            candidate.inbox.append((message.number, event))
        else:
            self.tell_answer(candidate, message.number, event)

    def tell_answer(self, candidate, number, event):
        if candidate.request is not None and candidate.request.number == number:
            candidate.request = None
            self.tell(candidate, event)

    # The server.

    def serve(self, message):
        match message.effect:
            case Get():
                if self.record is None:
                    return Missing()
                return Found(self.record, str(self.version), message.sent_at)
            case Put(record, version):
                if (self.record is None) != (version is None) or version not in (None, str(self.version)):
                    return Refused()
                skewed = f"{self.now + (-3600 if message.sender % 2 else 3600)}"
                self.version += 1
                self.record = attrs.evolve(
                    record, acquire_time=record.acquire_time or skewed, renew_time=record.renew_time or skewed
                )
                return Wrote(self.record, str(self.version), message.sent_at)


Candidates.TestCase.settings = settings(
    max_examples=150,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # shrinking a run of so many steps takes minutes
)
TestCandidates = Candidates.TestCase


@pytest.mark.parametrize("seed", range(20))
def test_over_long_walks_at_most_one_believes(seed):
    """Twenty times half an hour, in which leadership changes hands a few dozen times."""
    rng = random.Random(seed)
    machine = Candidates()
    machine.begin(3)
    for _ in range(1000):
        machine.walk(rng)
        if len([one for one in machine.candidates if not isinstance(one.state, Over)]) < 3:
            machine.candidates.append(Candidate(f"c{len(machine.candidates)}", machine.now))
    machine.tokens_grow()
    machine.teardown()
    assert len(machine.tokens) > 20

"""The reflector's decisions, one statement of the field at a time; no I/O, no time but the numbers given."""

import pytest
from msgspec import structs
from scripted_cluster import widget

from windlass.informers.phases import (
    PHASES,
    REFLECTOR,
    Cause,
    Failure,
    Idle,
    Listing,
    Memory,
    Opening,
    Policy,
    Stopped,
    Streaming,
    Waiting,
    Watching,
    initial_state,
    phase,
    wake_at,
)
from windlass.informers.reflector import _DECISIONS, step
from windlass.informers.signals import (
    Advance,
    BookmarkSeen,
    Commit,
    Discard,
    ErrorSeen,
    FetchPage,
    ItemsRead,
    ListFailed,
    ObjectSeen,
    OpenWatch,
    PageRead,
    Publish,
    Skipped,
    Stage,
    Start,
    Stop,
    StreamEnded,
    Unstage,
    Wait,
    Waited,
    WatchOpened,
    WatchRefused,
)
from windlass.statemachine.errors import IllegalTransition

LISTS = Policy(streaming=False)
EXPIRED = Failure(Cause.EXPIRED)
TOO_LARGE = Failure(Cause.TOO_LARGE)
THROTTLED = Failure(Cause.THROTTLED)
REFUSED = Failure(Cause.CONNECTION)
BROKEN = Failure(Cause.SERVER)


def drive(state, *events, at=0.0):
    """The state after several events, and the effects of the last."""
    effects = ()
    for event in events:
        state, effects = step(state, event, at)
    return state, effects


def find(effects, kind):
    return next((effect for effect in effects if isinstance(effect, kind)), None)


def watching(policy=LISTS, version="100", at=0.0):
    state, _ = drive(initial_state(policy), Start(), PageRead([], version), WatchOpened(), at=at)
    return state


class TestListing:
    def test_the_first_list_takes_any_version_that_the_server_has_at_hand(self):
        """R1."""
        state, effects = step(initial_state(LISTS), Start(), 0.0)

        assert state == Listing(Memory(LISTS), "0")
        assert effects == (FetchPage("0", 500),)

    def test_a_relist_asks_for_the_last_version_seen_without_paging(self):
        """R1, R3, scenarios 19 and 21."""
        state, effects = drive(watching(), ObjectSeen("ADDED", widget("a", 120)), ErrorSeen(EXPIRED))

        assert find(effects, FetchPage) == FetchPage("120", 0)
        assert state.version == "120"

    @pytest.mark.parametrize("failure", [EXPIRED, TOO_LARGE], ids=["expired", "too large"])
    def test_only_a_version_that_the_server_refuses_leads_to_a_consistent_list_at_once_and_once(self, failure):
        """R1, scenarios 19 and 20."""
        relisting, _ = drive(watching(), ErrorSeen(EXPIRED))
        consistent, effects = step(relisting, ListFailed(failure), 1.0)
        after, again = step(consistent, ListFailed(failure), 2.0)

        assert find(effects, FetchPage) == FetchPage("", 500)
        assert find(again, FetchPage) is None
        assert find(again, Wait) is not None
        assert isinstance(after, Waiting)

    def test_after_a_failed_consistent_list_the_next_one_is_consistent_too(self):
        relisting, _ = drive(watching(), ErrorSeen(EXPIRED), ListFailed(EXPIRED), ListFailed(REFUSED))
        _, effects = step(relisting, Waited(), 5.0)

        assert effects == (FetchPage("", 500),)

    def test_a_list_that_succeeds_ends_the_consistent_lists(self):
        state, _ = drive(watching(), ErrorSeen(EXPIRED), ListFailed(EXPIRED), PageRead([], "200"))

        assert state.memory.consistent is False
        assert state.memory.version == "200"

    def test_pages_follow_the_token_and_are_committed_together(self):
        """R5."""
        first, second = widget("a", 1), widget("b", 2)
        state, effects = drive(initial_state(LISTS), Start(), PageRead([first], "50", "token"))

        assert effects == (Stage([first]), FetchPage("", 500, "token"))

        _, effects = step(state, PageRead([second], "50"), 0.0)

        assert effects == (Stage([second]), Commit("50"), OpenWatch("50"))

    def test_part_of_a_page_is_only_kept_aside(self):
        state, effects = drive(initial_state(LISTS), Start(), ItemsRead([widget("a", 1)]))

        assert effects == (Stage([widget("a", 1)]),)
        assert isinstance(state, Listing)

    def test_a_server_that_pages_at_a_version_is_paged_from_then_on(self):
        """R3, scenario 21: its watch cache is off, and a whole list would come from etcd in one piece."""
        state, _ = drive(
            initial_state(LISTS),
            Start(),
            PageRead([], "50", "token"),
            PageRead([], "50"),
            WatchOpened(),
            ErrorSeen(EXPIRED),
        )
        relist = drive(watching(), ErrorSeen(EXPIRED))[1]

        assert state.memory.paged
        assert find(relist, FetchPage).limit == 0
        assert drive(Opening(state.memory), WatchRefused(Failure(Cause.MISSING)), Waited())[1] == (
            FetchPage("50", 500),
        )

    def test_a_lost_token_leads_to_one_whole_list(self):
        """R4."""
        state, effects = drive(initial_state(LISTS), Start(), PageRead([], "50", "token"), ListFailed(EXPIRED))

        assert find(effects, Discard) is not None
        assert find(effects, FetchPage) == FetchPage("0", 0)

        state, effects = step(state, ListFailed(EXPIRED), 0.0)

        assert find(effects, FetchPage) == FetchPage("", 500), "then the ladder of R1"

    def test_a_list_that_fails_half_way_commits_nothing(self):
        """R6."""
        state, effects = drive(
            initial_state(LISTS), Start(), PageRead([widget("a", 1)], "50", "token"), ListFailed(REFUSED)
        )

        assert find(effects, Discard) is not None
        assert find(effects, Commit) is None
        assert isinstance(state, Waiting)


class TestWatching:
    def test_every_watch_opens_at_the_version_seen_last_and_never_replays(self):
        """R18, R23."""
        state, _ = drive(watching(), ObjectSeen("MODIFIED", widget("a", 130)))
        state, effects = step(state, StreamEnded(), 10.0)

        assert find(effects, OpenWatch) == OpenWatch("130", initial_events=False)
        assert isinstance(state, Opening)

    def test_changes_are_published_and_move_the_version(self):
        state, effects = step(watching(), ObjectSeen("DELETED", widget("a", 140)), 1.0)

        assert effects == (Publish("DELETED", widget("a", 140)),)
        assert state.version == "140"

    def test_a_bookmark_moves_the_version_and_nothing_else(self):
        """R10."""
        state, effects = step(watching(), BookmarkSeen("500"), 1.0)

        assert state.version == "500"
        assert effects == (Advance("500"),)

    def test_an_event_of_no_use_still_moves_the_version(self):
        """R20."""
        state, effects = step(watching(), Skipped("160"), 1.0)

        assert state.version == "160"
        assert effects == ()

    def test_a_replay_from_no_version_does_not_move_the_version_until_it_is_over(self):
        """R11, scenario 23."""
        state = watching(version="0")
        state, _ = drive(state, ObjectSeen("ADDED", widget("b", 90)), ObjectSeen("ADDED", widget("a", 20)))

        assert state.version == "0"

        after_change, _ = step(state, ObjectSeen("MODIFIED", widget("b", 91)), 1.0)
        after_bookmark, _ = step(state, BookmarkSeen("95"), 1.0)
        after_both, _ = step(after_change, ObjectSeen("ADDED", widget("c", 99)), 1.0)

        assert (after_change.version, after_bookmark.version, after_both.version) == ("91", "95", "99")

    def test_gone_leads_to_a_list_at_the_last_version_first(self):
        """R2."""
        _, effects = step(watching(), ErrorSeen(EXPIRED), 1.0)

        assert find(effects, FetchPage) == FetchPage("100", 0)

    def test_gone_again_and_again_is_met_with_growing_delays(self):
        state = watching()
        waits = []
        for now in (1.0, 2.0, 3.0, 4.0):
            state, effects = step(state, ErrorSeen(EXPIRED), now)
            waits.append(find(effects, Wait))
            if isinstance(state, Waiting):
                state, _ = step(state, Waited(), now)
            state, _ = drive(state, PageRead([], "100"), WatchOpened(), at=now)

        assert waits == [None, Wait(0), Wait(1), Wait(2)]

    @pytest.mark.parametrize("failure", [THROTTLED, REFUSED, BROKEN], ids=["429", "refused", "503"])
    def test_a_watch_that_cannot_be_opened_now_is_asked_for_again_without_a_list(self, failure):
        """R13."""
        state, effects = drive(watching(), StreamEnded(), WatchRefused(failure), at=10.0)

        assert isinstance(find(effects, Wait), Wait)
        assert state.resume == "watch"

        _, effects = step(state, Waited(), 12.0)

        assert effects == (OpenWatch("100"),)

    def test_the_servers_own_wish_bounds_the_wait_from_below(self):
        _, effects = drive(
            watching(), StreamEnded(), WatchRefused(Failure(Cause.THROTTLED, retry_after_seconds=17.0)), at=10.0
        )

        assert find(effects, Wait).seconds_min == 17.0

    @pytest.mark.parametrize("cause", [Cause.MISSING, Cause.DENIED, Cause.UNSUPPORTED])
    def test_a_watch_that_is_refused_for_good_leads_back_to_the_list(self, cause):
        state, _ = drive(watching(), StreamEnded(), WatchRefused(Failure(cause)), at=10.0)

        assert state.resume == "list"

    @pytest.mark.parametrize(("failure", "expected"), [(EXPIRED, "100"), (TOO_LARGE, "")])
    def test_http_410_on_a_watch_is_as_good_as_the_event(self, failure, expected):
        """W-04; a version from the future cannot be listed at either (R1)."""
        _, effects = drive(watching(), StreamEnded(), WatchRefused(failure), at=10.0)

        assert find(effects, FetchPage).version == expected

    def test_throttling_inside_a_stream_is_waited_out_without_a_list(self):
        """R15."""
        state, effects = step(watching(), ErrorSeen(THROTTLED), 5.0)

        assert state.resume == "watch"
        assert find(effects, Wait) == Wait(0)

    def test_a_500_inside_a_stream_leads_to_a_list(self):
        """R15, scenario 18: no budget."""
        state, _ = step(watching(), ErrorSeen(BROKEN), 5.0)

        assert state.resume == "list"

    def test_a_500_inside_a_stream_is_met_by_watching_again_within_its_budget_then_by_a_list(self):
        """R15, scenario 18: with a budget of 10 s."""
        state = watching(Policy(streaming=False, internal_error_seconds=10.0))
        resumes = []
        for now in (5.0, 9.0, 16.0):
            state, _ = step(state, ErrorSeen(BROKEN), now)
            resumes.append(state.resume)
            if state.resume == "watch":
                state, _ = drive(state, Waited(), WatchOpened(), at=now)

        assert resumes == ["watch", "watch", "list"]

    def test_a_clean_end_is_followed_at_once(self):
        """R18."""
        _, effects = step(watching(), StreamEnded(), 300.0)

        assert find(effects, OpenWatch) == OpenWatch("100")
        assert find(effects, Wait) is None

    def test_a_watch_that_ends_at_once_without_a_word_is_not_followed_at_once(self):
        """R19."""
        state, effects = step(watching(at=50.0), StreamEnded(), 50.5)

        assert find(effects, Wait) == Wait(0)
        assert state.resume == "watch"

    def test_a_malformed_line_never_makes_a_hot_loop(self):
        state, _ = drive(watching(), ObjectSeen("ADDED", widget("a", 120)))
        state, effects = step(state, StreamEnded(Failure(Cause.MALFORMED)), 1000.0)

        assert find(effects, Wait) == Wait(0)
        assert (state.resume, state.memory.version) == ("watch", "120")


class TestBackoff:
    def test_failures_add_up_and_only_two_quiet_minutes_forgive_them(self):
        """R14."""
        state = Waiting(Memory(LISTS), "list")
        counts = []
        for now in (0.0, 30.0, 60.0, 90.0, 209.0, 330.0):
            state, _ = step(state, Waited(), now)
            state, effects = step(state, ListFailed(REFUSED), now)
            counts.append(find(effects, Wait).failures)

        assert counts == [0, 1, 2, 3, 4, 0]

    def test_one_good_answer_forgives_nothing(self):
        """R14."""
        state, _ = drive(initial_state(LISTS), Start(), ListFailed(REFUSED), Waited(), ListFailed(REFUSED), Waited())
        state, _ = drive(state, PageRead([], "5"), WatchOpened(), at=10.0)
        _, effects = drive(state, ErrorSeen(BROKEN), at=20.0)

        assert find(effects, Wait).failures == 2


class TestStreamingList:
    def test_it_is_a_watch_that_begins_with_what_there_is(self):
        """R24."""
        state, effects = step(initial_state(), Start(), 0.0)

        assert effects == (OpenWatch("", initial_events=True),)
        assert isinstance(state, Streaming)

    def test_what_comes_is_kept_aside_until_the_marked_bookmark_and_the_same_stream_goes_on(self):
        """R21, R22, scenario 24."""
        state, _ = drive(initial_state(), Start(), WatchOpened())
        state, staged = step(state, ObjectSeen("ADDED", widget("a", 5)), 0.1)
        state, plain = step(state, BookmarkSeen("6"), 0.2)
        state, gone = step(state, ObjectSeen("DELETED", widget("a", 7)), 0.3)
        state, effects = step(state, BookmarkSeen("8", initial_end=True), 0.4)

        assert staged == (Stage((widget("a", 5),)),)
        assert plain == ()
        assert gone == (Unstage(widget("a", 7)),)
        assert effects == (Commit("8"),), "no second watch"
        assert (type(state), state.version) == (Watching, "8")

    @pytest.mark.parametrize("ending", [StreamEnded(), StreamEnded(REFUSED), ErrorSeen(BROKEN)])
    def test_a_stream_that_dies_before_its_bookmark_leaves_nothing_behind(self, ending):
        """R21."""
        _, effects = drive(initial_state(), Start(), WatchOpened(), ObjectSeen("ADDED", widget("a", 5)), ending)

        assert find(effects, Discard) is not None
        assert find(effects, Commit) is None

    def test_a_refusal_falls_back_to_a_list_at_once_and_for_good(self):
        state, effects = drive(initial_state(), Start(), WatchRefused(Failure(Cause.UNSUPPORTED)))

        assert find(effects, FetchPage) == FetchPage("0", 500)
        assert not state.memory.streams

    def test_a_server_that_never_sends_the_bookmark_is_waited_for_within_bounds(self):
        """R25."""
        state, _ = drive(initial_state(), Start(), WatchOpened())

        assert wake_at(state) == 10.0, "nothing heard"

        state, _ = step(state, ObjectSeen("ADDED", widget("a", 5)), 9.0)

        assert wake_at(state) == 19.0, "something heard"

        talking = structs.replace(state, silent_at=400.0)

        assert wake_at(talking) == 300.0, "talking for ever does not help"

        state, effects = step(state, Waited(), 19.0)

        assert find(effects, FetchPage) == FetchPage("0", 500)
        assert isinstance(state, Listing)

    def test_two_streams_that_break_in_a_row_give_way_to_lists(self):
        state, _ = drive(initial_state(), Start(), WatchOpened(), StreamEnded(REFUSED), Waited())
        assert isinstance(state, Streaming)

        state, _ = drive(state, WatchOpened(), StreamEnded(REFUSED), Waited())
        assert isinstance(state, Listing)

    def test_a_server_that_is_away_is_no_strike_against_streaming(self):
        state = initial_state()
        state, _ = step(state, Start(), 0.0)
        for now in range(5):
            state, _ = drive(state, WatchRefused(REFUSED), Waited(), at=float(now))

        assert isinstance(state, Streaming)

    @pytest.mark.parametrize("failure", [EXPIRED, TOO_LARGE])
    def test_a_version_it_refuses_leads_to_the_newest_at_once_and_once(self, failure):
        """R1."""
        state, _ = drive(
            initial_state(), Start(), WatchOpened(), BookmarkSeen("8", initial_end=True), ErrorSeen(EXPIRED)
        )
        assert state.version == "8"

        state, effects = step(state, WatchRefused(failure), 1.0)
        assert find(effects, OpenWatch) == OpenWatch("", initial_events=True)

        state, effects = step(state, WatchRefused(failure), 1.0)
        assert find(effects, Wait) is not None

    def test_a_version_refused_half_way_drops_what_had_come(self):
        """R21."""
        state, _ = drive(
            initial_state(), Start(), WatchOpened(), BookmarkSeen("8", initial_end=True), ErrorSeen(EXPIRED)
        )
        _, effects = drive(state, WatchOpened(), ObjectSeen("ADDED", widget("a", 5)), ErrorSeen(EXPIRED))

        assert effects[0] == Discard()

    def test_resuming_after_it_asks_for_no_initial_events(self):
        """R23."""
        _, effects = drive(
            initial_state(), Start(), WatchOpened(), BookmarkSeen("8", initial_end=True), StreamEnded(), at=0.0
        )

        assert find(effects, OpenWatch) == OpenWatch("8", initial_events=False)


class TestTable:
    STATES = (
        Idle(Memory()),
        Listing(Memory(), "0"),
        Streaming(Memory(), "", 300.0, 10.0),
        Opening(Memory()),
        Watching(Memory(), "5", 0.0),
        Waiting(Memory(), "list"),
        Stopped(),
    )
    EVENTS = (
        Start(),
        Stop(),
        ItemsRead([]),
        PageRead([], "5"),
        ListFailed(REFUSED),
        WatchOpened(),
        WatchRefused(REFUSED),
        ObjectSeen("ADDED", widget("a", 5)),
        BookmarkSeen("5"),
        Skipped("5"),
        ErrorSeen(REFUSED),
        StreamEnded(),
        Waited(),
    )

    def test_every_phase_has_a_state_and_every_state_a_phase(self):
        assert {phase(state) for state in self.STATES} == set(REFLECTOR.states)
        assert set(PHASES.values()) == set(REFLECTOR.states)

    @pytest.mark.parametrize("state", STATES, ids=phase)
    @pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
    def test_an_event_that_cannot_happen_is_refused_by_name(self, state, event):
        if (type(state), type(event)) in _DECISIONS:
            after, _ = step(state, event, 1.0)
            assert phase(after) in REFLECTOR.states
        else:
            with pytest.raises(IllegalTransition, match=f"{type(event).__name__} cannot happen while {phase(state)}"):
                step(state, event, 1.0)

    @pytest.mark.parametrize("state", STATES[:-1], ids=phase)
    def test_it_can_be_stopped_from_everywhere(self, state):
        after, effects = step(state, Stop(), 1.0)

        assert (after, effects) == (Stopped(), (Discard(),))

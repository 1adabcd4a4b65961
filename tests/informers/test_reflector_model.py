"""Whatever the server does, the copy is always a state that the cluster was in, and it comes to rest at the last.

Hypothesis plays both the cluster and the server: it changes objects, forgets history, answers, refuses, ends and
garbles, in any order that is possible; `step` and a performer of ten lines must keep the invariants.
"""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from scripted_cluster import widget

from windlass.informers.phases import (
    Cause,
    Failure,
    Listing,
    Opening,
    Policy,
    Streaming,
    Waiting,
    Watching,
    initial_state,
)
from windlass.informers.reflector import step
from windlass.informers.signals import (
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
    StreamEnded,
    Unstage,
    Wait,
    Waited,
    WatchOpened,
    WatchRefused,
)

STEPS_MIN = 10_000
NAMES = ("a", "b", "c", "d")
steps_taken = 0

passing = st.sampled_from(
    [Cause.CONNECTION, Cause.THROTTLED, Cause.SERVER, Cause.MALFORMED, Cause.DENIED, Cause.MISSING]
)
seconds = st.sampled_from([0.0, 0.1, 1.0, 30.0, 121.0])


class ReflectorModel(RuleBasedStateMachine):
    """One cluster, one reflector, and a server between them that hypothesis has in hand."""

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.version = 10
        self.live = {}
        self.past = {10: {}}  # what the cluster held at each version
        self.history = []
        self.oldest = 10
        # The performer's side.
        self.store = {}
        self.staged = {}
        self.committed = None
        self.action = None
        self.offered = None  # the snapshot that a paged list or a streaming list is being served from
        self.cursor = 0  # version up to which the open stream has told everything
        self.waits = 0
        self.streaming_works = True
        self.state = initial_state(Policy())
        self.feed(Start())

    def feed(self, event):
        global steps_taken  # noqa: PLW0603 - counted over all runs, which is what the test promises
        steps_taken += 1
        self.state, effects = step(self.state, event, self.now)
        for effect in effects:
            self.perform(effect)

    def perform(self, effect):
        match effect:
            case Stage():
                self.staged.update({one.key: one for one in effect.objects})
            case Unstage():
                self.staged.pop(effect.object.key, None)
            case Discard():
                self.staged = {}
            case Commit():
                assert self.committed is None or int(effect.version) >= self.committed, "the copy went back in time"
                self.store, self.staged, self.committed = self.staged, {}, int(effect.version)
            case Publish():
                if effect.type == "DELETED":
                    self.store.pop(effect.object.key, None)
                else:
                    self.store[effect.object.key] = effect.object
            case FetchPage() | OpenWatch() | Wait():
                self.action = effect

    # ---- the cluster ----

    @rule(name=st.sampled_from(NAMES))
    def put(self, name):
        self.version += 1
        one = widget(name, self.version)
        kind = "MODIFIED" if one.key in self.live else "ADDED"
        self.live[one.key] = one
        self.record(kind, one)

    @rule(name=st.sampled_from(NAMES))
    def delete(self, name):
        key = widget(name, 1).key
        if key in self.live:
            self.version += 1
            del self.live[key]
            self.record("DELETED", widget(name, self.version))

    def record(self, kind, one):
        self.history.append((self.version, kind, one))
        self.past[self.version] = dict(self.live)

    @rule()
    def forget(self):
        """Compaction: no watch can begin before now."""
        self.oldest = self.version

    @rule(by=seconds)
    def pass_time(self, by):
        self.now += by

    # ---- the server answering lists ----

    @precondition(lambda self: isinstance(self.action, FetchPage))
    @rule(stale=st.integers(0, 3), size=st.integers(1, 3), split=st.booleans())
    def answer_page(self, stale, size, split):
        action, self.action = self.action, None
        if action.continue_token:
            snapshot, start = map(int, action.continue_token.split("."))
            if snapshot < self.oldest:
                self.feed(ListFailed(Failure(Cause.EXPIRED)))
                return
        else:
            start = 0
            known = int(action.version or self.version)
            # "0" or a version: anything not older; "": the newest.
            snapshot = max(self.version - stale, known, self.committed or 10) if action.version else self.version
            snapshot = min(snapshot, self.version)
        items = [self.past[snapshot][key] for key in sorted(self.past[snapshot])]
        page = items[start : start + size] if action.limit else items[start:]
        more = f"{snapshot}.{start + size}" if action.limit and start + size < len(items) else ""
        if split and page:
            self.feed(ItemsRead(page[:1]))
            page = page[1:]
        self.feed(PageRead(page, str(snapshot), more))

    @precondition(lambda self: isinstance(self.action, FetchPage))
    @rule(cause=st.one_of(passing, st.sampled_from([Cause.EXPIRED, Cause.TOO_LARGE])))
    def fail_page(self, cause):
        self.action = None
        self.feed(ListFailed(Failure(cause)))

    # ---- the server answering watches ----

    @precondition(lambda self: isinstance(self.action, OpenWatch))
    @rule()
    def open_watch(self):
        action, self.action = self.action, None
        if action.initial_events:
            if not self.streaming_works:
                self.feed(WatchRefused(Failure(Cause.UNSUPPORTED)))
                return
            self.feed(WatchOpened())
            self.cursor = self.version
            self.offered = list(self.live.values())
            return
        self.feed(WatchOpened())
        self.cursor = int(action.version)
        if self.cursor < self.oldest:
            self.feed(ErrorSeen(Failure(Cause.EXPIRED)))

    @precondition(lambda self: isinstance(self.action, OpenWatch))
    @rule(cause=st.one_of(passing, st.sampled_from([Cause.EXPIRED, Cause.TOO_LARGE])))
    def refuse_watch(self, cause):
        self.action = None
        self.feed(WatchRefused(Failure(cause)))

    @precondition(lambda self: isinstance(self.state, Streaming) and self.action is None)
    @rule(mark=st.booleans())
    def stream_initial(self, mark):
        if self.offered:
            self.feed(ObjectSeen("ADDED", self.offered.pop()))
        elif mark:
            self.feed(BookmarkSeen(str(self.cursor), initial_end=True))

    @precondition(lambda self: isinstance(self.state, Streaming) and self.action is None)
    @rule()
    def give_streaming_up(self):
        self.feed(Waited())

    @precondition(lambda self: isinstance(self.state, Watching))
    @rule(count=st.integers(1, 4))
    def deliver(self, count):
        for version, kind, one in [entry for entry in self.history if entry[0] > self.cursor][:count]:
            self.cursor = version
            self.feed(ObjectSeen(kind, one))

    @precondition(lambda self: isinstance(self.state, Watching))
    @rule()
    def bookmark(self):
        if not [entry for entry in self.history if entry[0] > self.cursor]:
            self.cursor = self.version
            self.feed(BookmarkSeen(str(self.version)))

    @precondition(lambda self: isinstance(self.state, Watching))
    @rule()
    def something_of_no_use(self):
        self.feed(Skipped(str(self.cursor)))

    @precondition(lambda self: isinstance(self.state, Watching | Streaming) and self.action is None)
    @rule(cause=st.one_of(passing, st.just(Cause.EXPIRED)))
    def error_in_stream(self, cause):
        self.feed(ErrorSeen(Failure(cause)))

    @precondition(lambda self: isinstance(self.state, Watching | Streaming) and self.action is None)
    @rule(cause=st.one_of(st.none(), st.sampled_from([Cause.CONNECTION, Cause.MALFORMED])))
    def end_stream(self, cause):
        self.feed(StreamEnded(Failure(cause) if cause else None))

    @precondition(lambda self: isinstance(self.action, Wait))
    @rule(by=seconds)
    def wait_over(self, by):
        action, self.action = self.action, None
        assert action.failures >= 0
        self.now += by
        self.feed(Waited())

    @rule()
    def lose_streaming(self):
        """The server is replaced by an older one."""
        self.streaming_works = False

    # ---- what must hold ----

    @invariant()
    def the_copy_is_a_state_the_cluster_was_in(self):
        if self.committed is None:
            assert self.store == {}, "half a list was shown"
        else:
            assert self.store == self.past[int(self.known_version())]

    def known_version(self):
        return self.state.version if isinstance(self.state, Watching) else self.state.memory.version

    @invariant()
    def there_is_always_exactly_one_thing_to_wait_for(self):
        streams = isinstance(self.state, Watching | Streaming) and not isinstance(self.action, FetchPage | Wait)
        assert streams or self.action is not None
        expected = {Listing: FetchPage, Opening: OpenWatch, Waiting: Wait}.get(type(self.state))
        assert expected is None or isinstance(self.action, expected)

    @invariant()
    def initial_events_are_asked_for_only_instead_of_a_list(self):
        if isinstance(self.action, OpenWatch) and self.action.initial_events:
            assert isinstance(self.state, Streaming)

    def teardown(self):
        """A server that behaves from now on brings the copy to the cluster's state, soon."""
        for _ in range(60):
            if isinstance(self.state, Watching) and self.cursor == self.version:
                break
            if isinstance(self.action, Wait):
                self.wait_over(by=1.0)
            elif isinstance(self.action, FetchPage):
                self.answer_page(stale=0, size=3, split=False)
            elif isinstance(self.action, OpenWatch):
                self.open_watch()
            elif isinstance(self.state, Streaming):
                self.stream_initial(mark=True)
            else:
                self.deliver(count=4)
        else:
            raise AssertionError(f"no rest after 60 good answers: {self.state}")
        assert self.store == self.live


def test_ten_thousand_random_steps_never_show_a_state_that_was_not():
    global steps_taken  # noqa: PLW0603
    steps_taken = 0
    rules = settings(
        max_examples=60,
        stateful_step_count=100,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )

    for _ in range(60):
        run_state_machine_as_test(ReflectorModel, settings=rules)
        if steps_taken >= STEPS_MIN:
            break

    print(f"reflector model: {steps_taken} steps")
    assert steps_taken >= STEPS_MIN

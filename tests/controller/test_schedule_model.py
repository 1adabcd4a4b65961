"""The work queue's decisions against a model that is too slow and too simple to be wrong (scenario 15)."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from windlass.controller.retries import KEY_BACKOFF
from windlass.controller.schedule import AGED_SECONDS, TAKES_PER_AGED, Schedule

KEYS = st.sampled_from("abcd")
PRIORITIES = st.sampled_from([-100, 0, 5])


class ScheduleMachine(RuleBasedStateMachine):
    """Lists and scans where the schedule has maps and heaps."""

    def __init__(self):
        super().__init__()
        self.schedule = Schedule()
        self.now = 0.0
        self.ready = []  # [key, priority, since] in the order of becoming ready in that priority
        self.takes_since_aged = 0
        self.running = set()
        self.rerun = {}  # key: [priority, since]
        self.timers = []  # [deadline, order, key, priority, is_retry]
        self.failures = {}
        self.order = 0

    def model_add(self, key, priority):
        if key in self.running:
            rerun = self.rerun.setdefault(key, [priority, self.now])
            rerun[0] = max(rerun[0], priority)
            return
        for entry in self.ready:
            if entry[0] == key:
                if priority > entry[1]:
                    self.ready.remove(entry)
                    self.ready.append([key, priority, entry[2]])
                return
        self.ready.append([key, priority, self.now])

    def model_timer(self, key, deadline, priority, *, is_retry):
        for timer in self.timers:
            if timer[2] == key and timer[4] == is_retry:
                if timer[0] <= deadline:
                    return
                self.timers.remove(timer)
                break
        self.order += 1
        self.timers.append((deadline, self.order, key, priority, is_retry))

    def model_advance(self):
        for timer in sorted(timer for timer in self.timers if timer[0] <= self.now):
            self.timers.remove(timer)
            self.model_add(timer[2], timer[3])

    def model_next(self):
        priorities = sorted({entry[1] for entry in self.ready}, reverse=True)
        heads = [next(entry for entry in self.ready if entry[1] == priority) for priority in priorities]
        aged = sorted(head[2] for head in heads[1:] if head[2] <= self.now - AGED_SECONDS)
        self.takes_since_aged += 1
        if aged and self.takes_since_aged >= TAKES_PER_AGED:
            self.takes_since_aged = 0
            return next(head for head in heads[1:] if head[2] == aged[0])
        return heads[0]

    @rule(key=KEYS, priority=PRIORITIES)
    def add(self, key, priority):
        self.schedule.add(key, self.now, priority=priority)
        self.model_add(key, priority)

    @rule(key=KEYS, seconds=st.integers(min_value=-1, max_value=10), priority=PRIORITIES)
    def add_after(self, key, seconds, priority):
        self.schedule.add_after(key, float(seconds), self.now, priority=priority)
        if seconds <= 0:
            self.model_add(key, priority)
        else:
            self.model_timer(key, self.now + seconds, priority, is_retry=False)

    @rule(key=KEYS, priority=PRIORITIES)
    def retry(self, key, priority):
        delay = self.schedule.retry(key, self.now, priority=priority)
        pending = [timer for timer in self.timers if timer[2] == key and timer[4]]
        if pending:
            assert delay == max(0.0, pending[0][0] - self.now)
        else:
            failures = self.failures.get(key, 0)
            self.failures[key] = failures + 1
            assert delay == KEY_BACKOFF.floor(failures)
            self.model_timer(key, self.now + delay, priority, is_retry=True)

    @rule(key=KEYS)
    def forget(self, key):
        self.schedule.forget(key)
        self.failures.pop(key, None)
        self.timers = [timer for timer in self.timers if not (timer[2] == key and timer[4])]

    @rule()
    def take(self):
        self.model_advance()
        item = self.schedule.take(self.now)
        if not self.ready:
            assert item is None
            return
        expected = self.model_next()
        self.ready.remove(expected)
        assert item is not None
        assert [item.key, item.priority, item.queued_at] == expected
        assert item.key not in self.running
        assert item.attempt == self.failures.get(item.key, 0)
        self.running.add(item.key)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def done(self, data):
        key = data.draw(st.sampled_from(sorted(self.running)))
        self.schedule.done(key, self.now)
        self.running.remove(key)
        if key in self.rerun:
            self.ready.append([key, *self.rerun.pop(key)])

    @rule(seconds=st.sampled_from([0.001, 0.005, 0.5, 3.0, 11.0]))
    def pass_time(self, seconds):
        self.now += seconds
        self.schedule.advance(self.now)
        self.model_advance()

    @invariant()
    def sizes_agree(self):
        assert len(self.schedule) == len(self.ready)
        assert self.schedule.running_count == len(self.running)
        assert self.schedule.held == len(self.rerun)
        assert self.schedule.waiting == len(self.timers)
        assert self.schedule.next_deadline() == min((timer[0] for timer in self.timers), default=None)
        assert sum(self.schedule.depths().values()) == len(self.schedule)

    def teardown(self):
        """Whatever was asked for is handed out in the end, and then nothing is left."""
        for key in sorted(self.running):
            self.schedule.done(key, self.now)
        owed = {entry[0] for entry in self.ready} | set(self.rerun) | {timer[2] for timer in self.timers}
        given = set()
        while (item := self.schedule.take(self.now + 10_000.0)) is not None:
            given.add(item.key)
            self.schedule.done(item.key, self.now + 10_000.0)
        assert given == owed
        assert len(self.schedule) == self.schedule.waiting == self.schedule.held == self.schedule.running_count == 0


TestSchedule = ScheduleMachine.TestCase
TestSchedule.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)

"""A cell under threads behaves as if its operations had happened one at a time, and wakes each waiter once."""

import itertools
import random
import threading
import time
from datetime import UTC, datetime

import attrs
import pytest
from histories import Operation, linearizable

from windlass.statemachine import cell as cell_module
from windlass.statemachine.cell import Cell
from windlass.statemachine.conditions import Condition, Conditions

THREADS = 4
NOW = datetime(2026, 8, 1, tzinfo=UTC)


@pytest.fixture
def _restless():
    """Threads are stopped between any two instructions of the cell, as the interpreter alone would do too rarely."""
    dice = random.Random(7)

    def stop_anywhere(frame, event, _):
        if frame.f_code.co_filename != cell_module.__file__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode" and dice.random() < 0.2:
            time.sleep(0)
        return stop_anywhere

    threading.settrace(stop_anywhere)
    yield
    threading.settrace(None)


def in_threads(*works):
    gate = threading.Barrier(len(works))
    failures = []

    def run(work):
        gate.wait()
        try:
            work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def register(state, name, arguments):
    """The sequential cell: (version, value)."""
    version, _ = state
    if name == "get":
        return state, state
    seen, value = arguments
    return (True, (version + 1, value)) if seen == version else (False, state)


def drawn(seed):
    dice = random.Random(seed)
    while True:
        yield dice.choice(["get", "cas"])


def recorded(cell, names, operations, *, threads=THREADS):
    """What threads did to the cell, with the moments of each call and return; `names` says which operations."""
    orders = [list(itertools.islice(names, operations)) for _ in range(threads)]
    clock = itertools.count()  # the next number is taken in one step
    history = []

    def worker(number):
        def work():
            seen = cell.get()
            for index, name in enumerate(orders[number]):
                arguments = () if name == "get" else (seen.version, f"{number}.{index}")
                called = next(clock)
                if name == "get":
                    seen = cell.get()
                    answer = (seen.version, seen.value)
                else:
                    answer = cell.compare_and_set(seen, arguments[1]) is not None
                history.append(Operation(called, next(clock), name, arguments, answer))

        return work

    in_threads(*(worker(number) for number in range(threads)))
    return history


@pytest.mark.usefixtures("_restless")
@pytest.mark.parametrize("seed", range(20))
def test_histories_of_four_threads_are_linearizable(seed):
    history = recorded(Cell("start"), drawn(seed), 100)

    assert linearizable(history, (0, "start"), register)


class TornCell(Cell):
    """As one would write it without thinking: look, then write. Both of two threads are stopped in between."""

    def __init__(self, value):
        super().__init__(value)
        self.between = threading.Barrier(2)

    def compare_and_set(self, seen, value):
        if self.get() is not seen:
            return None
        self.between.wait()
        first = super().compare_and_set(self.get(), value)
        return first or super().compare_and_set(self.get(), value)


def test_the_checker_finds_a_cell_that_only_looks_before_it_writes():
    history = recorded(TornCell("start"), itertools.repeat("cas"), 1, threads=2)

    assert [one.answer for one in history] == [True, True]
    assert not linearizable(history, (0, "start"), register)


@pytest.mark.parametrize(
    "history",
    [
        pytest.param(
            [Operation(0, 1, "cas", (0, "a"), True), Operation(2, 3, "get", (), (0, "start"))], id="a stale read"
        ),
        pytest.param(
            [Operation(0, 3, "cas", (0, "a"), True), Operation(1, 2, "cas", (0, "b"), True)], id="two winners"
        ),
        pytest.param([Operation(0, 1, "cas", (0, "a"), False)], id="a failure without a reason"),
        pytest.param(
            [
                Operation(0, 9, "cas", (0, "a"), True),
                Operation(1, 2, "get", (), (1, "a")),
                Operation(3, 4, "get", (), (0, "start")),
            ],
            id="back in time",
        ),
    ],
)
def test_the_checker_refuses_what_cannot_have_happened(history):
    assert not linearizable(history, (0, "start"), register)


def test_the_checker_accepts_overlapping_operations_in_the_order_that_explains_them():
    history = [
        Operation(0, 9, "cas", (0, "a"), True),
        Operation(1, 2, "get", (), (0, "start")),
        Operation(3, 4, "get", (), (1, "a")),
    ]

    assert linearizable(history, (0, "start"), register)


@pytest.mark.usefixtures("_restless")
def test_no_update_of_eight_threads_is_lost_and_versions_count_them():
    cell = Cell(0)

    def work():
        for _ in range(50):
            cell.update(lambda value: value + 1)

    in_threads(*[work] * 8)

    assert (cell.get().value, cell.get().version) == (400, 400)


@pytest.mark.usefixtures("_restless")
def test_every_waiter_is_woken_exactly_once_however_its_registration_races_with_the_write():
    def race():
        cell, calls = Cell("start"), []
        seen = cell.get()

        def waiting(number):
            return lambda: cell.on_replaced(seen, lambda following: calls.append((number, following.version)))

        in_threads(*(waiting(number) for number in range(3)), lambda: cell.compare_and_set(seen, "next"))
        return sorted(calls)

    assert [race() for _ in range(300)] == [[(0, 1), (1, 1), (2, 1)]] * 300


def test_a_waiter_for_what_has_been_replaced_is_called_at_once_with_what_replaced_it():
    cell, calls = Cell("a"), []
    first = cell.get()
    second = cell.compare_and_set(first, "b")
    cell.compare_and_set(second, "c")

    cell.on_replaced(first, calls.append)

    assert calls == [second]


def test_a_waiter_that_gave_up_is_not_called_and_one_that_was_called_cannot_give_up():
    cell, calls = Cell("a"), []
    ticket = cell.on_replaced(cell.get(), calls.append)
    other = cell.on_replaced(cell.get(), lambda _: None)

    assert cell.forget(ticket) is True
    cell.compare_and_set(cell.get(), "b")
    assert (calls, cell.forget(ticket), cell.forget(other)) == ([], False, False)


def test_a_snapshot_that_has_been_replaced_can_be_replaced_no_more_and_keeps_its_value():
    cell = Cell("a")
    first = cell.get()
    cell.compare_and_set(first, "b")

    assert cell.compare_and_set(first, "c") is None
    assert (first.value, cell.get().value) == ("a", "b")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        first.value = "z"


def test_an_update_to_the_very_same_value_replaces_nothing():
    """C-14: setting a condition that is already so returns the same snapshot of conditions, and so does the cell."""
    ready = Condition("Ready", "True", "Yes", last_transition_time=None)
    cell = Cell(Conditions().set(ready, now=NOW))

    assert cell.update(lambda conditions: conditions.set(ready, now=NOW)).version == 0
    assert repr(cell) == "<Cell version=0 <Conditions Ready=True>>"


def test_a_cell_keeps_no_old_snapshots_alive():
    cell = Cell(0)
    for _ in range(10_000):
        cell.update(lambda value: value + 1)

    assert cell._hint is cell.get()

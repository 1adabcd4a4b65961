"""What is kept of a running experiment is of one moment, and is read back as it was written."""

import math

import attrs
import pytest

from windlass.serving.experiments.counts import Counts, Kept
from windlass.serving.experiments.decision import State
from windlass.serving.experiments.tally import Moments, Tally

TALLY = Tally(units=7, samples=6, errors=1, slow=2, rewards=Moments(3, 0.5, 0.25), requests=9, failed=1, bins=(4, 0, 2))
STATE = State(1000.0, (90, 10), TALLY, stepped=1040.0, steps_taken=2, holding=True, split=-math.inf, split_from=(1, 2))
UNITS = {2**64 - 1: 3, 0: 0, 7: 6}


def test_what_is_written_is_read_and_its_times_go_on_in_another_process(tmp_path):
    """The clock of another process begins anywhere; the time between the two is nobody's."""
    Counts(tmp_path / "c").write({"m": Kept.of("plan", STATE, UNITS, now=1100.0)})
    (found,) = Counts(tmp_path / "c").read().values()
    assert (found.plan, found.units) == ("plan", UNITS)
    assert found.state_at(5.0) == attrs.evolve(STATE, began=-95.0, stepped=-55.0)
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_without_a_path_or_a_file_nothing_is_kept(tmp_path):
    counts = Counts()
    counts.write({"m": Kept.of("plan", STATE, {}, now=0.0)})
    assert counts.read() == Counts(tmp_path / "none").read() == {}


@pytest.mark.parametrize("content", [b"", b"\xc1", b"\x81\xa1m\x01", b"[]"])
def test_what_is_none_begins_anew_and_is_told(tmp_path, content, caplog):
    (tmp_path / "c").write_bytes(content)
    assert Counts(tmp_path / "c").read() == {}
    assert f"the counts of experiments {tmp_path / 'c'} cannot be read, so that these begin anew" in caplog.text


def test_a_disk_that_refuses_leaves_what_was_there(tmp_path, caplog):
    counts = Counts(tmp_path / "c")
    counts.write({"m": Kept.of("one", STATE, {}, now=0.0)})
    (tmp_path / ".c.partial").mkdir()
    counts.write({"m": Kept.of("two", STATE, {}, now=0.0)})
    assert counts.read()["m"].plan == "one"
    assert "cannot be written" in caplog.text

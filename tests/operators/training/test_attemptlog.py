"""A trainer's words on the disk: all of them, up to a bound, and never a reason for a training to end."""

import os

from windlass.operators.training.attemptlog import AttemptLog


def test_lines_are_there_as_soon_as_they_are_said(tmp_path):
    log = AttemptLog(tmp_path / "logs" / "1.log")
    log.write("first\n")
    log.write("second, \ud800 and \x1b")

    assert (tmp_path / "logs" / "1.log").read_bytes() == b"first\nsecond, ? and \x1b\n"


def test_an_attempt_that_says_nothing_leaves_no_file(tmp_path):
    AttemptLog(tmp_path / "1.log").close()

    assert not list(tmp_path.iterdir())


def test_the_bound_holds_for_both_lives_of_an_attempt_and_is_said(tmp_path):
    for _ in range(2):
        log = AttemptLog(tmp_path / "1.log", bytes_max=25)
        for _ in range(100):
            log.write("ten bytes")
        log.close()

    text = (tmp_path / "1.log").read_text()
    assert text.startswith("ten bytes\nten bytes\n(no more than 25 bytes are kept)\n")
    assert text.count("ten bytes") == 2


def test_after_the_end_nothing_is_written(tmp_path):
    log = AttemptLog(tmp_path / "1.log")
    log.write("a")
    log.close()
    log.write("b")
    log.close()

    assert (tmp_path / "1.log").read_text() == "a\n"


def test_a_disk_that_refuses_ends_the_log_and_nothing_else(tmp_path):
    (tmp_path / "logs").touch()  # no folder can be made here
    log = AttemptLog(tmp_path / "logs" / "1.log")
    log.write("a")
    log.write("b")

    assert os.listdir(tmp_path) == ["logs"]

"""A session ends as a whole."""

import subprocess
import time

import pytest

from windlass.operators.training import sessions
from windlass.operators.training.sessions import end_session, members


@pytest.fixture
def session():
    process = subprocess.Popen(["sh", "-c", "sleep 600 & sleep 600; true"], start_new_session=True)
    end = time.monotonic() + 30
    while len(members(process.pid)) < 3:
        assert time.monotonic() < end
        time.sleep(0.01)
    yield process
    end_session(process.pid)
    process.wait()


def test_every_member_is_ended(session):
    end_session(session.pid)

    assert session.wait() == -9
    assert members(session.pid) == []


def test_the_one_to_be_spared_lives_on(session):
    spared = max(members(session.pid))

    end_session(session.pid, spare=spared)

    session.wait()
    assert members(session.pid) == [spared]


def test_a_session_that_is_over_is_no_error(session):
    end_session(session.pid)
    session.wait()

    end_session(session.pid)


def test_where_processes_cannot_be_listed_the_group_has_to_do(session, monkeypatch, tmp_path):
    monkeypatch.setattr(sessions, "_PROC", tmp_path)

    end_session(session.pid)
    end_session(session.pid, spare=session.pid)

    assert session.wait() == -9

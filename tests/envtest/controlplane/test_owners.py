import os
import subprocess
import sys

import pytest

from windlass.envtest.controlplane.owners import is_left_behind, owner_mark

MARK = "import sys; from windlass.envtest.controlplane.owners import owner_mark; sys.stdout.write(owner_mark())"


def test_what_this_process_uses_is_not_left_behind():
    assert owner_mark() == owner_mark()
    assert not is_left_behind(owner_mark())


def test_what_a_process_used_that_has_ended_is_left_behind():
    mark = subprocess.run((sys.executable, "-c", MARK), capture_output=True, text=True, check=True).stdout
    assert is_left_behind(mark)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when a process started")
def test_a_process_that_was_given_the_id_of_another_does_not_inherit_from_it():
    host, process, start = owner_mark().rsplit("/", 2)
    assert is_left_behind(f"{host}/{process}/{int(start) + 1}")


@pytest.mark.parametrize(
    "mark",
    [
        "",
        "text",
        "/",
        "//",
        f"elsewhere/{2**22 - 1}/1",
        f"{owner_mark().rsplit('/', 2)[0]}/0/1",
        f"{owner_mark().rsplit('/', 2)[0]}/-1/1",
        f"{owner_mark().rsplit('/', 2)[0]}/x/1",
        f"{owner_mark().rsplit('/', 2)[0]}/{10**30}/1",
    ],
)
def test_what_may_be_anybodys_is_left_alone(mark):
    assert not is_left_behind(mark)


def test_a_living_process_of_another_user_keeps_what_is_its_own(monkeypatch):
    def refused(process, signal):
        raise PermissionError

    monkeypatch.setattr("os.kill", refused)
    assert not is_left_behind(owner_mark())
    assert os.getpid() == int(owner_mark().rsplit("/", 2)[1])

import os
import signal
import subprocess
import sys
import time

from windlass.envtest.controlplane.undertaker import Undertaker

HOLDER = """
import sys, time, pathlib
from windlass.envtest.controlplane.undertaker import Undertaker
undertaker = Undertaker.wait_for(pathlib.Path(sys.argv[1]))
print(undertaker._popen.pid, flush=True)
time.sleep(600)
"""


def gone(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def filled(folder):
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "file").write_text("text")
    return folder


def test_an_orderly_burial_removes_the_folder_and_ends_the_undertaker(tmp_path):
    folder = filled(tmp_path / "a folder; with 'quotes' $HOME")
    undertaker = Undertaker.wait_for(folder)
    assert folder.exists()
    undertaker.bury()
    assert not folder.exists()
    assert undertaker._popen.poll() == 0
    undertaker.bury()  # a second one finds nothing to do


def test_the_folder_goes_when_its_process_is_killed_and_nobody_stays(tmp_path):
    folder = filled(tmp_path / "folder")
    holder = subprocess.Popen((sys.executable, "-c", HOLDER, str(folder)), stdout=subprocess.PIPE)
    undertaker = int(holder.stdout.readline())
    assert folder.exists()
    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate()
    gone(lambda: not folder.exists())
    gone(lambda: not os.path.exists(f"/proc/{undertaker}/cwd"))

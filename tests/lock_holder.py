"""Holds a run folder's lock, in a module of its own, so that a spawned process finds it."""

from windlass.operators.training.runfolder import RunFolder

__all__ = ("hold",)


def hold(path, held, release):
    with RunFolder(path).lock(timeout_seconds=5):
        held.set()
        release.wait(20)

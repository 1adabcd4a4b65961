"""Everything a run leaves behind lies in one folder named by the run id, and whoever writes there holds its lock.

    RUNS/<run id>/
        config.json         what to train, canonical; the same for every attempt
        run.lock            held (flock) by the trainer for its whole life, and by nobody once it is dead
        attempt             the token of the attempt that may write here, where trainers are out of the lock's reach
        attempts/<n>        empty; made by attempt n when it holds the lock
        logs/<n>.log        what attempt n said beside its progress; written by whoever supervises it
        split.json          the ids of the rows held out
        checkpoints/<step>/ see `checkpoints`
        progress.jsonl      one line for each epoch
        model.npz model.onnx, or the bundle model/ with what another trainer made
        failure.json        why the run cannot succeed; final
        result.json         written last: with it, the training is done

This module does not know who supervises the trainer or what the API server was told.
"""

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

from windlass.operators.errors import RunFolderBusy
from windlass.operators.training.bundle import LISTING, bundle_sha256
from windlass.operators.training.checkpoints import Checkpoint, Identity, newest
from windlass.operators.training.files import decode_object, read_json, replace_file, sha256_of

__all__ = ("ONNX", "Failure", "HeldOut", "Progress", "RunFolder", "TrainingResult")

ONNX: Final = "onnx"
_POLL_SECONDS: Final = 0.02
_SHOWN_BYTES: Final = 60  # of what should have been a result
_TAIL_BYTES: Final = 16 * 1024


@attrs.frozen
class Progress:
    """Where a training stands: epochs and minibatches done, and the last epoch's loss and accuracy on training rows."""

    epoch: int
    epochs: int
    step: int
    loss: float
    accuracy: float

    @classmethod
    def parse(cls, found: dict[str, object] | None) -> "Progress | None":
        """From a decoded line; None for anything that is not one of ours."""
        if found is None:
            return None
        try:
            return cls(
                epoch=int(str(found["epoch"])),
                epochs=int(str(found["epochs"])),
                step=int(str(found["step"])),
                loss=float(str(found["loss"])),
                accuracy=float(str(found["accuracy"])),
            )
        except (KeyError, ValueError):
            return None


@attrs.frozen
class HeldOut:
    """How the program that trained found its own product to do on the `rows` rows held out.

    `accuracy` is the share of `tokens` learnt tokens that it would have written, `loss` their mean cross-entropy in
    nats, `exact_match` the share of completions that it would have written whole, None where there are no prompts.
    """

    rows: int
    tokens: int
    accuracy: float
    loss: float
    exact_match: float | None = None

    @classmethod
    def parse(cls, found: object) -> "HeldOut | None":
        """From a decoded document; None for anything else."""
        if not isinstance(found, dict):
            return None
        try:
            exact = found.get("exactMatch")
            return cls(
                int(found["rows"]),
                int(found["tokens"]),
                float(found["accuracy"]),
                float(found["loss"]),
                None if exact is None else float(exact),
            )
        except (KeyError, TypeError, ValueError):
            return None


@attrs.frozen
class TrainingResult:
    """What a finished training says of itself.

    `model_sha256` is of what the format says: `onnx` is model.onnx, whose labels are `classes` in order; any other is
    the bundle, which its trainer has judged itself, as `held_out` says. `attempt` is the token of the attempt that
    wrote it, if it said one.
    """

    run: str
    model_sha256: str
    classes: tuple[int, ...]
    progress: Progress
    seconds: float
    attempt: str = ""
    format: str = ONNX
    held_out: HeldOut | None = None


@attrs.frozen
class Failure:
    """Why a run cannot succeed, told by the trainer itself. `attempt` as in TrainingResult."""

    reason: str
    message: str
    attempt: str = ""


class _Unreadable(Exception):
    """A result is there, and it is none."""


@attrs.frozen
class RunFolder:
    """The paths of one run, and what they say."""

    path: Path

    @property
    def config(self) -> Path:
        """What the trainer is to do."""
        return self.path / "config.json"

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        """The trained model as ONNX."""
        return self.path / "model.onnx"

    @property
    def bundle(self) -> Path:
        """The folder of a trained model that is more than one file; see `bundle`."""
        return self.path / "model"

    @property
    def split(self) -> Path:
        """Which rows were held out."""
        return self.path / "split.json"

    @property
    def progress_log(self) -> Path:
        """One JSON line for each epoch."""
        return self.path / "progress.jsonl"

    def log(self, attempt: int) -> Path:
        """What that attempt said."""
        return self.path / "logs" / f"{attempt}.log"

    def logs(self) -> dict[int, Path]:
        """The attempts that said something, in their order."""
        found = {int(path.stem): path for path in (self.path / "logs").glob("*.log") if path.stem.isdecimal()}
        return dict(sorted(found.items()))

    def prepare(self, config: bytes) -> None:
        """Make the folder with its configuration; again with the same bytes is no change."""
        self.path.mkdir(parents=True, exist_ok=True)
        if not self.config.exists() or self.config.read_bytes() != config:
            replace_file(self.config, config)

    @contextlib.contextmanager
    def lock(self, *, timeout_seconds: float) -> Iterator[int]:
        """Hold the run's lock; yields its descriptor, by which a child may hold it too. Blocks.

        Raises RunFolderBusy if another process holds it after `timeout_seconds`.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        # Not inherited by children, so it is gone with this process, whatever kills it.
        handle = os.open(self.path / "run.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            deadline = time.monotonic() + timeout_seconds
            while not _try_lock(handle):
                if time.monotonic() >= deadline:
                    raise RunFolderBusy(
                        f"{self.path} is locked by another process after {timeout_seconds:g} s of waiting"
                    )
                time.sleep(_POLL_SECONDS)
            yield handle
        finally:
            os.close(handle)

    def fence(self, token: str) -> None:
        """From now on only the attempt with this token may commit anything (A10); a trainer looks before it does."""
        self.path.mkdir(parents=True, exist_ok=True)
        replace_file(self.path / "attempt", token.encode())

    def last_progress(self, token: str) -> Progress | None:
        """The newest line of the log by the attempt with this token; lines of others are not its progress (A11)."""
        for line in reversed(_tail(self.progress_log)):
            found = decode_object(line)
            if found is not None and found.get("attempt") == token:
                progress = Progress.parse(found)
                if progress is not None:
                    return progress
        return None

    def begun(self, attempt: int) -> bool:
        """Whether that attempt ever held the lock."""
        return (self.path / "attempts" / str(attempt)).exists()

    def mark_begun(self, attempt: int) -> None:
        """Called by the trainer that holds the lock."""
        (self.path / "attempts").mkdir(exist_ok=True)
        (self.path / "attempts" / str(attempt)).touch()

    def result(self) -> TrainingResult | None:
        """The result, if the training is done and the model is what the result says."""
        with contextlib.suppress(_Unreadable):
            return self._read_result()
        return None

    def result_fault(self) -> str:
        """Why the result that is there cannot be used: the field, what was found and expected; "" if there is none."""
        try:
            self._read_result()
        except _Unreadable as error:
            return str(error)
        return ""

    def _read_result(self) -> TrainingResult | None:
        """None if there is none. Raises _Unreadable."""
        try:
            content = (self.path / "result.json").read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        found = decode_object(content)
        if found is None:
            raise _Unreadable(f"expected a JSON object, found {content[:_SHOWN_BYTES].decode('utf-8', 'replace')!r}")
        progress = Progress.parse(found)
        if progress is None:
            raise _Unreadable("expected epoch, epochs, step, loss and accuracy, all of them numbers")
        digest, kind = str(found.get("modelSha256")), str(found.get("format", ONNX))
        there = self._model_sha256() if kind == ONNX else bundle_sha256(self.bundle)
        if there is None:
            missing = self.model if kind == ONNX else self.bundle / LISTING
            raise _Unreadable(f"modelSha256: {missing.relative_to(self.path)} is not there")
        if digest != there:
            raise _Unreadable(f"modelSha256: expected the digest of the model that is there, {there}, found {digest}")
        classes, seconds = found.get("classes"), found.get("seconds", 0)
        try:
            return TrainingResult(
                str(found.get("run")),
                digest,
                tuple(int(label) for label in classes) if isinstance(classes, list) else (),
                progress,
                seconds=float(str(seconds)),
                attempt=str(found.get("attempt", "")),
                format=kind,
                held_out=HeldOut.parse(found.get("heldOut")),
            )
        except (TypeError, ValueError):
            raise _Unreadable(
                f"expected whole numbers as classes and a number as seconds, found {classes!r} and {seconds!r}"
            ) from None

    def _model_sha256(self) -> str | None:
        try:
            return sha256_of(self.model.read_bytes())
        except FileNotFoundError:
            return None

    def failure(self) -> Failure | None:
        """The failure the trainer recorded, if any."""
        found = read_json(self.path / "failure.json")
        if found is None:
            return None
        return Failure(str(found.get("reason")), str(found.get("message")), str(found.get("attempt", "")))

    def newest_checkpoint(self, identity: Identity) -> Checkpoint | None:
        """The checkpoint that a resumed run would start from."""
        return newest(self.checkpoints, identity)[0]

    def remove(self) -> None:
        """Delete the folder; one that is not there is no error. The lock must be free."""
        shutil.rmtree(self.path, ignore_errors=True)


def _tail(path: Path) -> list[bytes]:
    """The last lines of a file that others append to; none if it is not there."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            return file.read().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

"""What a job's trainer says: from the folder of its run where that is on this machine, else from its Pods.

Lines come in the order in which each attempt said them; `--follow` ends with the job. Where there are several attempts
or Pods, a heading or a prefix tells them apart. This module does not know what the lines mean.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import click

from windlass.cli.job.access import Jobs
from windlass.cli.job.summary import summary_of
from windlass.informers import Pod
from windlass.informers.errors import ApiError, NotFound
from windlass.informers.objects import Object
from windlass.informers.requests import Request
from windlass.operators.telling import counted
from windlass.operators.training.card.escaping import visible
from windlass.operators.training.executors.dressing import ATTEMPT_LABEL, RUN_LABEL
from windlass.operators.training.files import decode_object
from windlass.operators.training.runfolder import Progress, RunFolder
from windlass.statemachine.errors import WindlassError

__all__ = ("Listening", "NoOutput", "show_output")

_DEFAULT_CONTAINER: Final = "kubectl.kubernetes.io/default-container"
_LOOK_SECONDS: Final = 0.3
_SILENCE_SECONDS: Final = 24 * 3600.0  # a trainer may say nothing for hours


class NoOutput(WindlassError):
    """There is nothing to read: no run yet, or none that is kept where we looked."""


@attrs.frozen
class Listening:
    """What to read: `state` is the folder of `windlass run --state`, or of `windlass up --data`.

    `attempt` None is every one; `tail` None is every line. `container` is of Pods.
    """

    state: Path
    attempt: int | None = None
    tail: int | None = None
    follow: bool = False
    container: str | None = None
    as_json: bool = False


async def show_output(jobs: Jobs, name: str, listening: Listening) -> int:
    """Print it. Raises NoOutput, NoSuchJob, and what `Api` raises."""
    job = await _begun(jobs, name, listening)
    run = _run_of(job)
    attempts = _attempts_of(job)
    if listening.attempt is not None and listening.attempt > attempts and not listening.follow:
        had = counted(attempts, "attempt")
        raise NoOutput(f"run {run} of {job.key} has had {had}, and none of the number {listening.attempt}")
    folder = RunFolder(listening.state / "runs" / run)
    if folder.path.is_dir():
        await _show_folder(jobs, name, folder, listening=listening)
        return 0
    pods = await _pods(jobs, job.namespace, run, listening=listening)
    if not pods:
        raise NoOutput(
            f"run {run} of {job.key} is neither in {listening.state / 'runs'} nor in Pods: name the folder of the "
            "operator that trains it with --state"
        )
    await _show_pods(jobs, pods, listening)
    return 0


async def _begun(jobs: Jobs, name: str, listening: Listening) -> Object:
    """The job, once it has a run on record; waits for that if asked to follow."""
    while True:
        job = await jobs.get(name)
        if _run_of(job):
            return job
        if not listening.follow or summary_of(job).ended:
            raise NoOutput(f"{job.key} has no run yet: it is {summary_of(job).phase}")
        await asyncio.sleep(_LOOK_SECONDS)


def _run_of(job: Object) -> str:
    run = (job.to_dict().get("status") or {}).get("run") or {}
    return str(run.get("id") or "")


def _attempts_of(job: Object) -> int:
    attempt = ((job.to_dict().get("status") or {}).get("run") or {}).get("attempt")
    return attempt if isinstance(attempt, int) else 0


# A folder on this machine.


async def _show_folder(jobs: Jobs, name: str, folder: RunFolder, *, listening: Listening) -> None:
    reader = _FolderReader(folder, listening)
    first = list(reader.new())
    for text in first if listening.tail is None else first[-listening.tail :] if listening.tail else []:
        click.echo(text)
    if not first and not listening.follow:
        click.echo(f"the trainer of run {folder.path.name} has said nothing", err=True)
    while listening.follow:
        ended = summary_of(await jobs.get(name)).ended  # asked before reading, so that the last words are not missed
        for text in reader.new():
            click.echo(text)
        if ended:
            return
        await asyncio.sleep(_LOOK_SECONDS)


class _FolderReader:
    """The lines that were added since it was last asked: words of the attempts first, then progress."""

    def __init__(self, folder: RunFolder, listening: Listening) -> None:
        self._folder = folder
        self._only = listening.attempt
        self._as_json = listening.as_json
        self._read: dict[Path, int] = {}
        self._heading: int | None = None

    def new(self) -> Iterator[str]:
        for attempt, path in self._folder.logs().items():
            if self._only in (None, attempt):
                for text in self._lines(path):
                    yield from self._said(attempt, text)
        if self._only is None:
            for text in self._lines(self._folder.progress_log):
                found = decode_object(text.encode())
                progress = Progress.parse(found)
                if progress is not None:
                    yield json.dumps(found) if self._as_json else _progress(progress)

    def _said(self, attempt: int, text: str) -> Iterator[str]:
        if self._as_json:
            yield json.dumps({"attempt": attempt, "line": text})
            return
        if attempt != self._heading and attempt > 1:
            yield f"attempt {attempt}"
        self._heading = attempt
        yield visible(text)

    def _lines(self, path: Path) -> list[str]:
        """The whole lines that are new; half a line waits for its end."""
        try:
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                found = file.read()
        except FileNotFoundError:
            return []
        whole = found[: found.rfind(b"\n") + 1]
        self._read[path] = self._read.get(path, 0) + len(whole)
        return whole.decode("utf-8", "replace").splitlines()


def _progress(progress: Progress) -> str:
    return (
        f"epoch {progress.epoch}/{progress.epochs}  step {progress.step}  loss {progress.loss:.4f}  "
        f"accuracy {progress.accuracy:.3f}"
    )


# Pods of the cluster.


async def _pods(jobs: Jobs, namespace: str, run: str, *, listening: Listening) -> list[Object]:
    labels = f"{RUN_LABEL}={run}"
    if listening.attempt is not None:
        labels += f",{ATTEMPT_LABEL}={listening.attempt}"
    found = (await jobs.api.list(Pod, namespace=namespace, labels=labels)).items
    return sorted(found, key=lambda one: (_attempt(one), one.name))


def _attempt(pod: Object) -> int:
    text = (pod.to_dict()["metadata"].get("labels") or {}).get(ATTEMPT_LABEL, "")
    return int(text) if text.isdecimal() else 0


async def _show_pods(jobs: Jobs, pods: Sequence[Object], listening: Listening) -> None:
    prefixed = len(pods) > 1
    if listening.follow:  # side by side, for none of them need end before the others
        async with asyncio.TaskGroup() as group:
            for pod in pods:
                group.create_task(_show_pod(jobs, pod, listening, prefixed=prefixed), name=f"log of {pod.key}")
        return
    for pod in pods:
        await _show_pod(jobs, pod, listening, prefixed=prefixed)


async def _show_pod(jobs: Jobs, pod: Object, listening: Listening, *, prefixed: bool) -> None:
    container = _container(pod, listening.container)
    query = [("container", container)] if container else []
    if listening.follow:
        query.append(("follow", "true"))
    if listening.tail is not None:
        query.append(("tailLines", str(listening.tail)))
    path = Pod.path(pod.namespace, pod.name, "log")
    request = Request("GET", path, tuple(query), accept="*/*", what=f"read the log of Pod {pod.key}")
    try:
        async for text in _stream(jobs, request):
            if listening.as_json:
                click.echo(json.dumps({"pod": pod.name, "attempt": _attempt(pod), "line": text}))
            else:
                click.echo(f"{pod.name}  {visible(text)}" if prefixed else visible(text))
    except NotFound:
        raise NoOutput(f"Pod {pod.key} is gone, and its log with it") from None
    except ApiError as error:
        raise NoOutput(f"the log of Pod {pod.key} cannot be read: {error}") from error


async def _stream(jobs: Jobs, request: Request) -> AsyncIterator[str]:
    left = b""
    async with jobs.api.client.stream(request) as stream:
        while part := await stream.read(_SILENCE_SECONDS):
            *lines, left = (left + part).split(b"\n")
            for found in lines:
                yield found.decode("utf-8", "replace")
    if left:
        yield left.decode("utf-8", "replace")


def _container(pod: Object, asked: str | None) -> str:
    """Which container: the one asked for, the Pod's own default, or its first. Raises NoOutput for one it has not."""
    found: dict[str, Any] = pod.to_dict()
    names = [str(one.get("name", "")) for one in found.get("spec", {}).get("containers", [])]
    if asked is not None:
        if asked not in names:
            raise NoOutput(f"Pod {pod.key} has no container {asked!r}; it has {', '.join(names)}")
        return asked
    default = str((found["metadata"].get("annotations") or {}).get(_DEFAULT_CONTAINER, ""))
    return default if default in names else str(names[0]) if names else ""

"""`windlass up`: everything on this machine, and the main job happens before the user's eyes.

Parts start in the order of dependency (folder, endpoint, API server, kinds, sample, controllers) and stop in the
reverse one, for each is entered on one exit stack. Nothing here decides anything about training: an ordinary
TrainingJob is applied and watched.
"""

import asyncio
import logging
import shlex
import tempfile
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import attrs
import click

from windlass.cli.folder import Folder
from windlass.cli.logs import log_to_stderr, logging_to_file
from windlass.cli.loop import run_until_signalled, until_either
from windlass.cli.options import FILE, FOLDER, PORT, usable_kubeconfig
from windlass.cli.prediction import check_prediction, example_of, write_request
from windlass.cli.progress import View, has_ended, reason_of_failure, view_for
from windlass.controller import Manager, ManagerError, Settings
from windlass.controller.preflight import check_server
from windlass.envtest.apiserver import ApiServer, ServerError
from windlass.informers import Api, Change, Client, Cluster, Deleted, Key, Updated
from windlass.informers.errors import AlreadyExists, Forbidden, Unauthorized
from windlass.manifests.install import install
from windlass.operators.promotion import Promotion, PromotionSettings
from windlass.operators.promotion import setup as setup_promotion
from windlass.operators.training import (
    TrainingJob,
    TrainingSettings,
    publish_baseline,
    sample_job,
    setup,
    write_sample_table,
)
from windlass.operators.training.life import worked_elsewhere
from windlass.serving import Endpoint, EndpointOptions, LinearModel, ModelRepository, RepositoryOptions
from windlass.serving.traffic import Arm, Route, Routes, TrafficOptions
from windlass.statemachine.errors import WindlassError

__all__ = ("EXAMPLE", "OPERATOR", "SampleError", "command")

EXAMPLE: Final = "linear.example"
"""The model behind /predict. No job can publish one of that name, for a job's has no dot."""

OPERATOR: Final = "windlass-up"
"""The field manager on clusters of others."""

_SAMPLE: Final = Key("default", "digits")
_ROUTE: Final = "digits"  # the public name that the sample is promoted to, which is also its model's
_CONNECT_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.25
# Everything has to be over within five seconds of Ctrl-C: the manager first, then the API server (1 s), then this.
_GRACE_SECONDS: Final = 2.0
_DRAIN_SECONDS: Final = 1.0


class SampleError(WindlassError):
    """The sample did not come to a good end."""


@attrs.frozen
class _Options:
    folder: Folder
    port: int
    api_port: int
    kubeconfig: Path | None
    once: bool
    progress: bool
    keeps: bool  # whether the folder outlives this command, or the command waits


@click.command()
@click.option("--data", type=FOLDER, help="Folder for state that survives; temporary otherwise, without --kubeconfig.")
@click.option("--port", type=PORT, default=8080, show_default=True, help="Port of the endpoint on 127.0.0.1.")
@click.option(
    "--api-port", type=PORT, default=0, show_default="a free one", help="Port of the embedded API server on 127.0.0.1."
)
@click.option("--kubeconfig", type=FILE, help="Use the cluster of this file instead of an embedded API server.")
@click.option("--once", is_flag=True, help="Exit after the job is complete and one prediction has been checked.")
@click.option("--progress/--no-progress", default=True, help="Bars on a terminal, or plain lines.")
def command(data: Path | None, port: int, api_port: int, kubeconfig: Path | None, *, once: bool, progress: bool) -> int:
    """Train, validate and serve a model on this machine, until Ctrl-C."""
    log_to_stderr(logging.ERROR, style="brief")  # conflicts and retries are everyday life; they are in the folder's log
    if kubeconfig is not None and data is None:
        # The cluster outlives this command, and its jobs name the table and the runs of theirs.
        raise click.UsageError("--kubeconfig needs --data: the jobs of a cluster that stays want a folder that stays")
    if port and port == api_port:
        raise click.UsageError(f"--port and --api-port both name the port {port}: expected two")
    _require_extra()
    with _root(data) as root, usable_kubeconfig():
        keeps = data is not None or not once
        options = _Options(Folder.at(Path(root)), port, api_port, kubeconfig, once=once, progress=progress, keeps=keeps)
        return run_until_signalled(lambda: _up(options), stopped=1 if once else 0)


def _require_extra() -> None:
    """Raises click.UsageError if what only this command needs is not installed; better now than in the job's end."""
    missing = [name for name in ("deltalake", "onnx", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise click.UsageError(f"{', '.join(missing)} not installed: pip install 'windlass[up]' brings what this needs")


def _root(data: Path | None) -> AbstractContextManager[str]:
    if data is not None:
        return nullcontext(str(data))
    return tempfile.TemporaryDirectory(prefix="windlass-", ignore_cleanup_errors=True)


async def _up(options: _Options) -> int:
    folder = options.folder
    given = None if options.kubeconfig is None else await Cluster.load(options.kubeconfig)
    async with AsyncExitStack() as stack:
        stack.enter_context(folder.owned())
        stack.enter_context(logging_to_file(folder.log, logging.INFO))
        endpoint = await _endpoint(options, stack)
        cluster = given or await _embedded(options, stack)
        async with Client(cluster) as client:
            try:
                await check_server(Api(client), timeout_seconds=_CONNECT_SECONDS)
                await asyncio.to_thread(_prepare_folder, folder)
                await _prepare(Api(client), folder, endpoint.url)
            except (Unauthorized, Forbidden) as error:
                raise ManagerError(f"the API server at {cluster.server} refuses these credentials: {error}") from error
        # An operator of the cluster has another name, and so the two leave each other's jobs alone.
        settings = Settings(grace_seconds=_GRACE_SECONDS)
        if given is not None:
            settings = attrs.evolve(settings, field_manager=OPERATOR)
        manager = Manager(cluster=cluster, settings=settings)
        # On a cluster of others, who may create jobs is not for this machine to say.
        allowed = given is None
        training = TrainingSettings(state=folder.root, models=folder.models, allow_processes=allowed, promotions=True)
        setup(manager, training)
        setup_promotion(manager, PromotionSettings(look_seconds=_LOOK_SECONDS, urls=(endpoint.url,)))
        view = stack.enter_context(view_for(progress=options.progress))
        await stack.enter_async_context(manager)
        ended = _watch(manager, view)
        await until_either(ended.wait(), manager.wait())
        try:
            await _conclude(_sample(manager), endpoint, view, options)
        except WindlassError as error:
            if options.once:
                raise
            # The rest goes on: other jobs, and whoever looks for the cause.
            view.say(f"windlass: {error}", err=True)
        if not options.once:
            await manager.wait()
        return 0


def _prepare_folder(folder: Folder) -> None:
    """The sample's data, and a model that serves before the sample's own does; what is there already stays as it is."""
    folder.models.mkdir(exist_ok=True)
    write_sample_table(folder.sample_table)
    publish_baseline(folder.models, folder.sample_table)


async def _endpoint(options: _Options, stack: AsyncExitStack) -> Endpoint:
    """The endpoint, with a route to what serves first. It lives as long as the stack."""
    folder = options.folder
    # All versions: which of them answer is for the route to say.
    repository = ModelRepository(folder.models, poll_seconds=0.5, options=RepositoryOptions(versions="all"))
    repository.add(EXAMPLE, LinearModel())
    first = Route(_ROUTE, (Arm("stable", _ROUTE, version="1", weight=100),))
    traffic = TrafficOptions(Routes.of(first), api=True, keep=folder.routes)
    serving = EndpointOptions(drain_seconds=_DRAIN_SECONDS, plain_model=EXAMPLE, traffic=traffic)
    port = options.port or folder.earlier_port()
    endpoint = await stack.enter_async_context(Endpoint(repository, port=port, options=serving))
    folder.port.write_text(endpoint.url.rpartition(":")[2])
    return endpoint


async def _embedded(options: _Options, stack: AsyncExitStack) -> Cluster:
    """An API server that lives as long as the stack."""
    try:
        server = await stack.enter_async_context(ApiServer(options.folder.database, port=options.api_port))
    except ServerError as error:
        raise click.ClickException(str(error)) from error
    server.write_kubeconfig(options.folder.kubeconfig)
    click.echo(f"API server   {server.url}")
    click.echo(f"kubectl      export KUBECONFIG={shlex.quote(str(options.folder.kubeconfig))}")
    return Cluster.from_dict(server.kubeconfig())


async def _prepare(api: Api, folder: Folder, endpoint: str) -> None:
    """The kinds and the sample; what is there already stays as it is."""
    await install(api, [TrainingJob, Promotion])
    try:
        sample = sample_job(str(folder.sample_table), endpoint=endpoint)
        await api.create(TrainingJob, sample, namespace=_SAMPLE.namespace)
    except AlreadyExists:
        click.echo(f"job          {_SAMPLE} is there already; it goes on where it was")


def _watch(manager: Manager, view: View) -> asyncio.Event:
    """Show every job as it changes; the event is set when the sample has ended, or is gone."""
    ended = asyncio.Event()

    def on_change(change: Change) -> None:
        found = change.new if isinstance(change, Updated) else change.object
        if isinstance(change, Deleted):
            job, over = None, True
        else:
            job = found.as_(TrainingJob)
            over = has_ended(job) or worked_elsewhere(job, manager.settings.field_manager)
        if over and found.key == _SAMPLE:
            ended.set()  # before anything is shown, which fails when nobody reads our output any more
        if job is None:
            view.remove(found.key)
        else:
            view.update(job)

    manager.cache.informer(TrainingJob).add_handler(on_change, name="progress")
    return ended


def _sample(manager: Manager) -> TrainingJob:
    """The sample, which has succeeded. Raises SampleError otherwise."""
    found = manager.cache.get(TrainingJob, _SAMPLE)
    if found is None:
        raise SampleError(f"the job {_SAMPLE} was deleted before it had ended")
    job = found.as_(TrainingJob)
    if worked_elsewhere(job, manager.settings.field_manager):
        raise SampleError(
            f"the operator {job.status.operator} of this cluster works the job {_SAMPLE}, so this command leaves it "
            "alone and cannot serve its model: delete the job and stop that operator, or use another cluster"
        )
    if reason := reason_of_failure(job):
        raise SampleError(f"the job {_SAMPLE} failed: {reason}")
    return job


async def _conclude(job: TrainingJob, endpoint: Endpoint, view: View, options: _Options) -> None:
    """Check one prediction, then show what there is and what works now. Raises SampleError for a wrong prediction."""
    await endpoint.repository.refresh()
    example = await asyncio.to_thread(example_of, job)
    model = job.spec.output.model
    # The version that the job published must answer, not an older one that serves because this one could not be loaded.
    version = job.status.model.version if job.status.model else 0
    asked = _ROUTE if job.status.promotion is not None else f"{model}/versions/{version}"
    check = await check_prediction(endpoint.url, asked, example)
    if not check.passed:
        raise SampleError(f"the prediction is wrong: {check.sentence}")
    if check.version != str(version):
        raise SampleError(f"{asked} is answered by version {check.version}, and the job has published {version}")
    view.say(f"prediction   {check.sentence}")
    if options.keeps:
        _say_what_is_kept(job, view, options.folder)
    if options.once:
        return
    request = options.folder.request
    write_request(request, example)
    view.say("try it       " + f"curl -d '{{\"x\": 2.5}}' {endpoint.url}/predict")
    view.say(f"             curl -d {shlex.quote(f'@{request}')} {endpoint.url}/v2/models/{model}/infer")
    view.say(f"             curl {endpoint.url}/v2/models/{model}")
    if options.kubeconfig is not None:
        view.say(f"to delete    kubectl delete trainingjob {_SAMPLE.name}, while this or `windlass run` runs")
    view.say("to stop      Ctrl-C")


def _say_what_is_kept(job: TrainingJob, view: View, folder: Folder) -> None:
    if job.status.model is not None and job.status.model.card:
        view.say(f"model card   {job.status.model.card}")
    if job.status.gate is not None and job.status.run is not None:
        view.say(f"evidence     {(folder.root / 'evidence' / job.status.run.id).as_uri()}")

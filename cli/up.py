"""`windlass up`: everything on this machine, and the main job happens before the user's eyes.

Parts start in the order of dependency (folder, endpoint, API server, kinds, sample, controllers) and stop in the
reverse one, for each is entered on one exit stack. Nothing here decides anything about training: an ordinary
TrainingJob is applied and watched.
"""

import asyncio
import functools
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import attrs
import click

from windlass.cli.folder import Folder
from windlass.cli.loop import run_until_signalled, until_either
from windlass.cli.prediction import check_prediction, example_of, write_request
from windlass.cli.progress import View, view_for
from windlass.controller import Manager
from windlass.envtest.apiserver import ApiServer, ServerError
from windlass.informers import Api, Change, Client, Cluster, Deleted, Key, Updated
from windlass.informers.errors import AlreadyExists
from windlass.manifests.install import install
from windlass.operators.training import TrainingJob, TrainingSettings, sample_job, setup, write_sample_table
from windlass.serving import Endpoint, LinearModel, ModelRepository

__all__ = ("command",)

_SAMPLE = Key("default", "digits")
_FINAL = ("Succeeded", "Failed")


@attrs.frozen
class _Options:
    folder: Folder
    port: int
    api_port: int
    kubeconfig: Path | None
    once: bool
    progress: bool


@click.command()
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for state that survives; temporary otherwise.",
)
@click.option("--port", default=8080, show_default=True, help="Port of the inference endpoint on 127.0.0.1.")
@click.option("--api-port", default=0, show_default="a free one", help="Port of the embedded API server on 127.0.0.1.")
@click.option(
    "--kubeconfig",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Use the cluster that this file describes instead of an embedded API server.",
)
@click.option("--once", is_flag=True, help="Exit after the job is complete and one prediction has been checked.")
@click.option("--progress/--no-progress", default=True, help="Bars on a terminal, or plain lines.")
def command(data: Path | None, port: int, api_port: int, kubeconfig: Path | None, *, once: bool, progress: bool) -> int:
    """Train, validate and serve a model on this machine, with nothing installed beforehand."""
    if data is not None:
        options = _Options(Folder(data.resolve()), port, api_port, kubeconfig, once, progress)
        return run_until_signalled(functools.partial(_up, options))
    with tempfile.TemporaryDirectory(prefix="windlass-", ignore_cleanup_errors=True) as temporary:
        options = _Options(Folder(Path(temporary)), port, api_port, kubeconfig, once, progress)
        return run_until_signalled(functools.partial(_up, options))


async def _up(options: _Options, stop: asyncio.Event) -> int:
    folder = options.folder
    async with AsyncExitStack() as stack:
        stack.enter_context(folder.owned())
        folder.models.mkdir(exist_ok=True)
        repository = ModelRepository(folder.models, poll_seconds=0.5)
        repository.add("linear", LinearModel())
        endpoint = await stack.enter_async_context(Endpoint(repository, port=options.port))
        kubeconfig = await _control_plane(options, stack)
        cluster = await Cluster.load(kubeconfig)
        async with Client(cluster) as client:
            await _prepare(Api(client), folder)
        manager = Manager(cluster=cluster)
        setup(manager, TrainingSettings(state=folder.root, models=folder.models))
        view = stack.enter_context(view_for(progress=options.progress))
        await stack.enter_async_context(manager)
        ended = _watch(manager, view)
        await until_either(ended.wait(), manager.wait(), stop.wait())
        if stop.is_set():
            return 1 if options.once else 0
        succeeded = await _report(manager, endpoint, repository, folder)
        if not options.once:
            await until_either(manager.wait(), stop.wait())
        return 0 if succeeded or not options.once else 1


async def _control_plane(options: _Options, stack: AsyncExitStack) -> Path:
    """The kubeconfig of the cluster given, or of an embedded server that lives as long as the stack."""
    if options.kubeconfig is not None:
        return options.kubeconfig
    try:
        server = await stack.enter_async_context(ApiServer(options.folder.database, port=options.api_port))
    except ServerError as error:
        raise click.ClickException(f"--api-port {options.api_port}: {error}") from error
    server.write_kubeconfig(options.folder.kubeconfig)
    click.echo(f"API server   {server.url}")
    click.echo(f"kubectl      export KUBECONFIG={options.folder.kubeconfig}")
    return options.folder.kubeconfig


async def _prepare(api: Api, folder: Folder) -> None:
    """The kind, the sample's data and the sample itself; what is there already stays as it is."""
    await install(api, [TrainingJob])
    await asyncio.to_thread(write_sample_table, folder.sample_table)
    try:
        await api.create(TrainingJob, sample_job(str(folder.sample_table)), namespace=_SAMPLE.namespace)
    except AlreadyExists:
        click.echo(f"job          {_SAMPLE} is there already; it goes on where it was")


def _watch(manager: Manager, view: View) -> asyncio.Event:
    """Show every job as it changes; the event is set when the sample has ended."""
    ended = asyncio.Event()

    def on_change(change: Change) -> None:
        if isinstance(change, Deleted):
            return
        found = change.new if isinstance(change, Updated) else change.object
        job = found.as_(TrainingJob)
        view.update(job)
        current = job.status.observed_generation == job.metadata.generation
        if job.metadata.key == _SAMPLE and current and job.status.phase in _FINAL:
            ended.set()

    manager.cache.informer(TrainingJob).add_handler(on_change, name="progress")
    return ended


async def _report(manager: Manager, endpoint: Endpoint, repository: ModelRepository, folder: Folder) -> bool:
    """Say how the sample ended; when it succeeded, check one prediction and print the requests that now work."""
    found = manager.cache.get(TrainingJob, _SAMPLE)
    if found is None:
        click.echo(f"job          {_SAMPLE} was deleted before it ended", err=True)
        return False
    job = found.as_(TrainingJob)
    if job.status.phase == "Failed":
        why = next((each for each in job.status.conditions if each.type == "Succeeded"), None)
        click.echo(
            f"job          {_SAMPLE} failed: {why.reason if why else 'no reason given'}: {why.message if why else ''}",
            err=True,
        )
        return False
    await repository.refresh()
    example = await asyncio.to_thread(example_of, job)
    write_request(folder.request, example)
    check = await check_prediction(endpoint.url, job.spec.output.model, example)
    click.echo(f"prediction   {check.sentence}", err=not check.passed)
    model = job.spec.output.model
    click.echo("try it       " + f"curl -d '{{\"x\": 2.5}}' {endpoint.url}/predict")
    click.echo(f"             curl -d @{folder.request} {endpoint.url}/v2/models/{model}/infer")
    click.echo(f"             curl {endpoint.url}/v2/models/{model}")
    return check.passed

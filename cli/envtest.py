"""`windlass envtest`: a control plane to try things on: the embedded API server, the real programs, or a container."""

import asyncio
import shlex
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Final, Literal, Protocol

import attrs
import click
import yaml

from windlass.cli.loop import run_until_signalled
from windlass.cli.options import FILE, FOLDER, PORT
from windlass.envtest.apiserver import ApiServer, ServerError
from windlass.envtest.controlplane import ControlPlane, find_binaries, has_scheduler, why_no_binaries
from windlass.envtest.controlplane.binaries import INDEX_URL, install
from windlass.envtest.errors import EnvtestError
from windlass.statemachine.errors import WindlassError

__all__ = ("command", "install_command", "start")

ServerKind = Literal["embedded", "binaries", "container"]
_CLUSTER: Final = "windlass"  # what the kubeconfig of each of them calls it
_KINDS: Final = ("embedded", "binaries", "container")


class _Server(Protocol):
    @property
    def url(self) -> str: ...

    def write_kubeconfig(self, path: Path) -> None: ...


@attrs.frozen
class _Options:
    server: ServerKind
    image: str | None
    unprivileged: bool
    port: int
    data: Path | None
    kubeconfig: Path
    workloads: bool
    stages: Path | None

    def check(self) -> None:
        """Raises click.UsageError for options that do not go together."""
        if self.server != "embedded" and (self.port or self.data is not None):
            raise click.UsageError(f"--port and --data are for the embedded server, not for --server={self.server}")
        if self.server != "container" and (self.image is not None or self.unprivileged):
            option = "--unprivileged" if self.image is None else "--image"
            raise click.UsageError(f"{option} is for --server=container, not for --server={self.server}")
        if self.server == "container" and self.workloads:
            raise click.UsageError("--workloads is not for --server=container: K3s runs workloads itself")
        if self.stages is not None and not self.workloads:
            raise click.UsageError("--stages needs --workloads")


@click.group(no_args_is_help=False)
def command() -> None:
    """A control plane to try things on; the embedded one needs nothing installed."""


@command.command("install")
@click.option("--version", help="Such as 1.30 or 1.30.2; the newest otherwise.")
@click.option("--index", default=INDEX_URL, help="Address of the index of archives.", show_default=True)
def install_command(version: str | None, index: str) -> int:
    """Fetch etcd and kube-apiserver, verified, for --server=binaries and for KUBEBUILDER_ASSETS."""

    async def fetch() -> int:
        try:
            folder = await install(version, index=index)
        except EnvtestError as error:
            raise click.ClickException(str(error)) from error
        click.echo(f"programs     {folder}")
        click.echo(f"other tools  export KUBEBUILDER_ASSETS={shlex.quote(str(folder))}")
        return 0

    return run_until_signalled(fetch, stopped=1)


@command.command()
@click.option("--server", type=click.Choice(_KINDS), default="embedded", show_default=True, help="What to start.")
@click.option("--image", show_default="K3s", help="Image for --server=container.")
@click.option("--unprivileged", is_flag=True, help="Start the container without the privileges that K3s needs.")
@click.option("--port", type=PORT, default=0, show_default="a free one", help="Port on 127.0.0.1.")
@click.option("--data", type=FOLDER, help="Folder for the objects; without one they are gone at the end.")
@click.option(
    "--kubeconfig", type=FILE, default=Path("kubeconfig"), show_default=True, help="Where to write the kubeconfig."
)
@click.option("--workloads", is_flag=True, help="Make Pods, Jobs, Deployments and StatefulSets run, on a Node of air.")
@click.option("--stages", type=FILE, help="YAML file that says what happens to Pods, in place of the usual.")
def start(
    *,
    server: ServerKind,
    image: str | None,
    unprivileged: bool,
    port: int,
    data: Path | None,
    kubeconfig: Path,
    workloads: bool,
    stages: Path | None,
) -> int:
    """Start a control plane that kubectl and every controller can use, until Ctrl-C."""
    options = _Options(server, image, unprivileged, port, data, kubeconfig.absolute(), workloads, stages)
    options.check()
    if data is not None:
        data.mkdir(parents=True, exist_ok=True)
    return run_until_signalled(lambda: _serve(options))


async def _serve(options: _Options) -> int:
    try:
        async with _opened(options) as (server, controllers):
            _keep_others(options.kubeconfig)
            server.write_kubeconfig(options.kubeconfig)
            async with await _workloads(options, controllers=controllers):
                click.echo(f"API server   {server.url}")
                click.echo(f"kubectl      export KUBECONFIG={shlex.quote(str(options.kubeconfig))}")
                await asyncio.Event().wait()
    except (ServerError, WindlassError) as error:
        raise click.ClickException(str(error)) from error
    return 0


def _keep_others(kubeconfig: Path) -> None:
    """Raises click.BadParameter if the file is there and knows another cluster than ours: it must not be lost."""
    try:
        found = yaml.safe_load(kubeconfig.read_bytes())
        names = {str(cluster["name"]) for cluster in found["clusters"]}
    except FileNotFoundError:
        return
    except (yaml.YAMLError, TypeError, KeyError, UnicodeDecodeError):
        names = set()
    if names != {_CLUSTER}:
        raise click.BadParameter(
            f"{kubeconfig} is there already and was not written by this command; name another file, or remove it",
            param_hint="--kubeconfig",
        )


@asynccontextmanager
async def _opened(options: _Options) -> AsyncIterator[tuple[_Server, bool]]:
    """The server, and whether it lacks controllers of its own."""
    if options.server == "embedded":
        database = None if options.data is None else options.data / "apiserver.db"
        async with ApiServer(database, port=options.port) as embedded:
            yield embedded, True
    elif options.server == "container":
        from windlass.envtest.controlplane.containers import K3S_IMAGE, ClusterContainer  # noqa: PLC0415 - as below

        async with ClusterContainer(options.image or K3S_IMAGE, privileged=not options.unprivileged) as container:
            yield container, False
    else:
        whole = find_binaries(controller_manager=True)
        folder = whole or find_binaries()
        if folder is None:
            raise click.ClickException(why_no_binaries())
        scheduler = whole is not None and has_scheduler(whole)
        # Real controllers without a scheduler would be in the way of ours.
        manager = scheduler or (whole is not None and not options.workloads)
        async with ControlPlane(folder, controller_manager=manager, scheduler=scheduler) as plane:
            yield plane, not manager


async def _workloads(options: _Options, *, controllers: bool) -> AbstractAsyncContextManager[object]:
    if not options.workloads:
        return nullcontext()
    # Half a second that a server alone need not wait for.
    from windlass.envtest.workloads import DEFAULT_STAGES, Workloads, read_stages  # noqa: PLC0415
    from windlass.informers import Cluster  # noqa: PLC0415

    stages = DEFAULT_STAGES if options.stages is None else read_stages(options.stages)
    cluster = await Cluster.load(options.kubeconfig)
    return Workloads(cluster, stages=stages, controllers=controllers)

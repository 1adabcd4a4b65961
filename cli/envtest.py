"""`windlass envtest start`: the embedded API server by itself, until it is told to stop."""

import asyncio
from pathlib import Path

import click

from windlass.cli.loop import run_until_signalled
from windlass.envtest.apiserver import ApiServer, ServerError

__all__ = ("command",)


@click.group()
def command() -> None:
    """A control plane for tests that needs nothing installed."""


@command.command()
@click.option("--port", default=0, show_default="a free one", help="Port on 127.0.0.1.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for state that survives; in memory otherwise.",
)
@click.option(
    "--kubeconfig", type=click.Path(dir_okay=False, path_type=Path), default=Path("kubeconfig"), show_default=True,
    help="Where to write the kubeconfig.",
)  # fmt: skip
def start(port: int, data: Path | None, kubeconfig: Path) -> int:
    """Start an API server on this machine; kubectl and every controller can use it."""
    if data is not None:
        data.mkdir(parents=True, exist_ok=True)
    return run_until_signalled(lambda stop: _serve(stop, port=port, data=data, kubeconfig=kubeconfig.absolute()))


async def _serve(stop: asyncio.Event, *, port: int, data: Path | None, kubeconfig: Path) -> int:
    server = ApiServer(None if data is None else data / "apiserver.db", port=port)
    try:
        await server.start()
    except ServerError as error:
        raise click.ClickException(str(error)) from error
    try:
        server.write_kubeconfig(kubeconfig)
        click.echo(f"API server: {server.url}")
        click.echo(f"export KUBECONFIG={kubeconfig}")
        await stop.wait()
    finally:
        await server.stop()
    return 0

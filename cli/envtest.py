"""`windlass envtest start`: the embedded API server by itself, until it is told to stop."""

import asyncio
import shlex
from pathlib import Path

import click

from windlass.cli.loop import run_until_signalled
from windlass.cli.options import FILE, FOLDER, PORT
from windlass.envtest.apiserver import ApiServer, ServerError

__all__ = ("command", "start")


@click.group(no_args_is_help=False)
def command() -> None:
    """An API server to try things on; it needs nothing installed."""


@command.command()
@click.option("--port", type=PORT, default=0, show_default="a free one", help="Port on 127.0.0.1.")
@click.option("--data", type=FOLDER, help="Folder for the objects; without one they are gone at the end.")
@click.option(
    "--kubeconfig", type=FILE, default=Path("kubeconfig"), show_default=True, help="Where to write the kubeconfig."
)
def start(port: int, data: Path | None, kubeconfig: Path) -> int:
    """Start an API server that kubectl and every controller can use, until Ctrl-C."""
    if data is not None:
        data.mkdir(parents=True, exist_ok=True)
    return run_until_signalled(lambda: _serve(port=port, data=data, kubeconfig=kubeconfig.absolute()))


async def _serve(*, port: int, data: Path | None, kubeconfig: Path) -> int:
    try:
        async with ApiServer(None if data is None else data / "apiserver.db", port=port) as server:
            server.write_kubeconfig(kubeconfig)
            click.echo(f"API server   {server.url}")
            click.echo(f"kubectl      export KUBECONFIG={shlex.quote(str(kubeconfig))}")
            await asyncio.Event().wait()
    except ServerError as error:
        raise click.ClickException(str(error)) from error
    return 0

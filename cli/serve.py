"""`windlass serve`: the inference endpoint by itself."""

import asyncio
from pathlib import Path

import click

from windlass.cli.loop import run_until_signalled
from windlass.cli.options import FOLDER, PORT
from windlass.serving import Endpoint, LinearModel, ModelRepository

__all__ = ("command",)


@click.command()
@click.option("--models", type=FOLDER, help="Model repository to serve and watch; it may appear later.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=PORT, default=8080, show_default=True, help="Port to listen on; 0 for a free one.")
def command(models: Path | None, host: str, port: int) -> int:
    """Serve the models of a repository, and the linear example at /predict, until Ctrl-C."""
    return run_until_signalled(lambda: _serve(models=models, host=host, port=port))


async def _serve(*, models: Path | None, host: str, port: int) -> int:
    repository = ModelRepository(models)
    repository.add("linear", LinearModel())
    async with Endpoint(repository, host=host, port=port) as endpoint:
        click.echo(f"endpoint     {endpoint.url}")
        await asyncio.Event().wait()
    return 0

"""`windlass serve`: the inference endpoint by itself."""

import asyncio
from pathlib import Path

import click

from windlass.cli.loop import run_until_signalled
from windlass.serving import Endpoint, LinearModel, ModelRepository

__all__ = ("command",)


@click.command()
@click.option("--models", type=click.Path(file_okay=False, path_type=Path), help="Model repository to serve and watch.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8080, show_default=True)
def command(models: Path | None, host: str, port: int) -> int:
    """Serve the models of a repository, and the linear example at /predict."""
    return run_until_signalled(lambda stop: _serve(stop, models=models, host=host, port=port))


async def _serve(stop: asyncio.Event, *, models: Path | None, host: str, port: int) -> int:
    repository = ModelRepository(models)
    repository.add("linear", LinearModel())
    async with Endpoint(repository, host=host, port=port) as endpoint:
        click.echo(f"Serving on {endpoint.url}")
        await stop.wait()
    return 0

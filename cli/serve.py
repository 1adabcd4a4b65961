"""`windlass serve`: the inference endpoint by itself."""

import asyncio
from pathlib import Path

import click

from windlass.cli.loop import run_until_signalled
from windlass.cli.options import FOLDER, PORT
from windlass.serving import Endpoint, EndpointOptions, LinearModel, ModelRepository

__all__ = ("command",)


@click.command()
@click.option("--models", type=FOLDER, help="Model repository to serve and watch; it may appear later.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=PORT, default=8080, show_default=True, help="Port to listen on; 0 for a free one.")
@click.option("--grpc-port", type=PORT, help="Port of the v2 protocol over gRPC; 0 for a free one.  [default: none]")
def command(models: Path | None, host: str, *, port: int, grpc_port: int | None) -> int:
    """Serve the models of a repository, and the linear example at /predict, until Ctrl-C."""
    return run_until_signalled(lambda: _serve(models, host, port=port, grpc_port=grpc_port))


async def _serve(models: Path | None, host: str, *, port: int, grpc_port: int | None) -> int:
    repository = ModelRepository(models)
    repository.add("linear", LinearModel())
    options = EndpointOptions(grpc_port=grpc_port)
    async with Endpoint(repository, host=host, port=port, options=options) as endpoint:
        if grpc_port is not None:
            click.echo(f"gRPC         {endpoint.grpc_address}")
        click.echo(f"endpoint     {endpoint.url}")
        await asyncio.Event().wait()
    return 0

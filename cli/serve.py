"""`windlass serve`: the inference endpoint by itself."""

import asyncio
from pathlib import Path
from typing import Any

import click

from windlass.cli.loop import run_until_signalled
from windlass.cli.models import model_options
from windlass.cli.options import FILE, FOLDER, PORT
from windlass.serving import (
    Endpoint,
    EndpointError,
    EndpointOptions,
    LinearModel,
    ModelRepository,
    RepositoryOptions,
)
from windlass.serving.traffic import TrafficOptions

__all__ = ("command",)


@click.command()
@click.option("--models", type=FOLDER, help="Model repository to serve and watch; it may appear later.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=PORT, default=8080, show_default=True, help="Port to listen on; 0 for a free one.")
@click.option(
    "--lame-duck",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    metavar="SECONDS",
    help="Go on serving, though not ready, for so long after SIGTERM; 5 to 15 behind a Kubernetes Service.",
)
@click.option(
    "--grace",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="terminationGracePeriodSeconds of the pod; refuse to start if stopping may take longer.",
)
@click.option("--page/--no-page", default=True, show_default=True, help="Serve a page for people at /page.")
@click.option("--traffic", type=FILE, help="Routes between models, read now and whenever the file changes.")
@click.option("--traffic-api", is_flag=True, help="Open /v2/traffic: routes, their experiments, and rewards.")
@click.option("--experiments", type=FILE, help="Journal in which experiments put what they decide, and find it again.")
@click.option("--grpc-port", type=PORT, help="Port of the v2 protocol over gRPC; 0 for a free one.  [default: none]")
@click.option(
    "--repository-control",
    is_flag=True,
    help="Let requests load and unload models: whoever reaches the port may then.",
)
@model_options
def command(
    models: Path | None,
    host: str,
    *,
    port: int,
    grpc_port: int | None,
    lame_duck: float,
    grace: float | None,
    page: bool,
    repository: RepositoryOptions,
    **more: Any,
) -> int:
    """Serve the models of a repository, and the linear example at /predict, until Ctrl-C."""
    try:
        traffic = TrafficOptions(file=more["traffic"], api=more["traffic_api"], journal=more["experiments"])
        options = EndpointOptions(
            lame_duck_seconds=lame_duck,
            grace_seconds=grace,
            grpc_port=grpc_port,
            page=page,
            traffic=traffic,
            repository_control=more["repository_control"],
        )
    except EndpointError as error:
        raise click.UsageError(str(error)) from error
    served = ModelRepository(models, options=repository)
    return run_until_signalled(lambda: _serve(served, host=host, port=port, options=options))


async def _serve(repository: ModelRepository, *, host: str, port: int, options: EndpointOptions) -> int:
    repository.add("linear", LinearModel())
    try:
        async with Endpoint(repository, host=host, port=port, options=options) as endpoint:
            if options.grpc_port is not None:
                click.echo(f"gRPC         {endpoint.grpc_address}")
            click.echo(f"endpoint     {endpoint.url}")
            await asyncio.Event().wait()
    finally:
        repository.close()  # not before the requests under way have ended
    return 0

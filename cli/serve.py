"""`windlass serve`: the inference endpoint by itself."""

import asyncio
from pathlib import Path
from typing import Any

import attrs
import click

from windlass.cli.endpoints import EndpointPlan, endpoint_options, plan_of
from windlass.cli.loop import run_until_signalled
from windlass.cli.models import model_options
from windlass.cli.options import FOLDER, PORT
from windlass.serving import Endpoint, LinearModel, ModelRepository, RepositoryOptions, RuntimeMissing
from windlass.serving.examples import LINEAR, add_examples

__all__ = ("command",)


@attrs.frozen
class _Place:
    host: str
    port: int


@click.command()
@click.argument("folder", type=FOLDER, required=False)
@click.option("--models", type=FOLDER, help="The same as FOLDER.")
@click.option("--example", is_flag=True, help="Add the models `linear`, which answers at /predict, and `xor`, an MLP.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=PORT, default=8080, show_default=True, help="Port to listen on; 0 for a free one.")
@endpoint_options
@model_options
def command(
    folder: Path | None,
    models: Path | None,
    *,
    example: bool,
    host: str,
    port: int,
    repository: RepositoryOptions,
    **given: Any,
) -> int:
    """Serve the models of a repository until Ctrl-C.

    FOLDER is watched, and may appear later. Without one `linear` answers at /predict.
    """
    if folder is not None and models is not None:
        raise click.UsageError("FOLDER and --models are the same; expected one of them")
    plan = plan_of(given)
    served = ModelRepository(folder or models, options=repository)
    if example:
        try:
            add_examples(served)
        except RuntimeMissing as error:
            raise click.UsageError(str(error)) from error
    elif folder is None and models is None:
        served.add(LINEAR, LinearModel())
    return run_until_signalled(lambda: _serve(served, _Place(host, port), plan))


async def _serve(repository: ModelRepository, place: _Place, plan: EndpointPlan) -> int:
    try:
        async with (
            plan.opened() as options,
            Endpoint(repository, host=place.host, port=place.port, options=options) as endpoint,
        ):
            if options.grpc_port is not None:
                click.echo(f"gRPC         {endpoint.grpc_address}")
            click.echo(f"endpoint     {endpoint.url}")
            await asyncio.Event().wait()
    finally:
        repository.close()  # not before the requests under way have ended
    return 0

"""Windlass's endpoint with its defaults, and a model that costs next to nothing."""

from windlass.benchmarks.contenders.asked import asked
from windlass.benchmarks.shared.task import Task
from windlass.serving import Endpoint, LinearModel, ModelRepository

__all__ = ("serve",)


async def serve(task: Task) -> None:
    """The scenario `serving`."""
    repository = ModelRepository(None)
    repository.add("linear", LinearModel())
    async with Endpoint(repository, port=0) as endpoint:
        await asked(task, endpoint.url)

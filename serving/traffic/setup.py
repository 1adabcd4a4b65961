"""What an endpoint's traffic consists of is put together here, and lives as long as its application does."""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web
from prometheus_client import CollectorRegistry

from windlass.serving.batching.execution import Execution
from windlass.serving.experiments.journal import Journal
from windlass.serving.http.admission import Admission
from windlass.serving.traffic.api import TrafficApi
from windlass.serving.traffic.keeping import Kept
from windlass.serving.traffic.metrics import TrafficMetrics
from windlass.serving.traffic.options import TrafficOptions
from windlass.serving.traffic.shadowing import Shadows
from windlass.serving.traffic.source import FileSource
from windlass.serving.traffic.traffic import Models, Traffic

__all__ = ("TrafficParts",)


class TrafficParts:
    """The traffic of one endpoint, its source and its API.

    Raises EndpointError when the journal of experiments, or what was kept of the routes, cannot be used.
    """

    def __init__(
        self, options: TrafficOptions, models: Models, execution: Execution, *, registry: CollectorRegistry
    ) -> None:
        metrics = TrafficMetrics(registry)
        # With every thread taken requests wait; a copy would take the processor from them.
        shadows = Shadows(metrics, busy=lambda: execution.free < 1, in_flight_max=options.shadows_max)
        self.traffic = Traffic(models, metrics, shadows=shadows, journal=Journal(options.journal))
        self._kept = None if options.keep is None else Kept(options.keep)
        known = None if self._kept is None else self._kept.read()
        self.traffic.replace(options.routes if known is None else known)
        self.source = (
            None if options.file is None else FileSource(options.file, self.traffic, poll_seconds=options.poll_seconds)
        )
        self._api = options.api

    def not_ready_because(self) -> str | None:
        """The reason why no routes are in force though there should be some; None otherwise."""
        return None if self.source is None or self.source.loaded else self.source.problem

    def table(self, admission: Admission) -> list[web.RouteDef]:
        """The paths of the API, if it is on."""
        if not self._api:
            return []
        return TrafficApi(self.traffic, admission, source=self.source, kept=self._kept).table()

    async def lifetime(self, _: web.Application) -> AsyncIterator[None]:
        """Watch the file and the experiments, for `Application.cleanup_ctx`.

        Raises EndpointError when another endpoint writes the same journal.
        """
        with self.traffic.journal.held():
            tasks = [asyncio.create_task(self.traffic.run(), name="windlass-serving-experiments")]
            if self.source is not None:
                await self.source.refresh()
                tasks.append(asyncio.create_task(self.source.run(), name="windlass-serving-routes"))
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
                await self.traffic.save()
                if self.source is not None:
                    self.source.close()
                self.traffic.close()

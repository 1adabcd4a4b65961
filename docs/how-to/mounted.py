"""A web application with a prediction endpoint below /models: python mounted.py [PORT]."""

import sys

from aiohttp import web

from windlass.serving import EndpointOptions, LinearModel, ModelRepository, TelemetryOptions, app


async def greet(_: web.Request) -> web.Response:
    return web.Response(text="hello\n")


def application() -> web.Application:
    repository = ModelRepository()
    repository.add("linear", LinearModel())
    host = web.Application()
    host.router.add_get("/", greet)
    host.add_subapp(
        "/models", app(repository, options=EndpointOptions(telemetry=TelemetryOptions(access_fraction=1.0)))
    )
    return host


if __name__ == "__main__":
    web.run_app(
        application(),
        host="127.0.0.1",
        port=int(sys.argv[1]) if sys.argv[1:] else 8080,
        handler_cancellation=True,  # work of clients that hung up is withdrawn
    )

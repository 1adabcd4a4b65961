"""The floor of an endpoint: a bare aiohttp handler that decodes, does the arithmetic, and encodes.

No validation, no metrics, no deadline, no admission.
"""

import msgspec
from aiohttp import web

from windlass.benchmarks.contenders.asked import PATH, asked
from windlass.benchmarks.shared.task import Task

__all__ = ("application", "serve")


def application() -> web.Application:
    """What `LinearModel` computes, at the path of the v2 protocol and at `/predict`."""

    async def predict(request: web.Request) -> web.Response:
        x = msgspec.json.decode(await request.read())["x"]
        return web.Response(body=msgspec.json.encode({"prediction": 1.5 - 0.8 * x}), content_type="application/json")

    async def infer(request: web.Request) -> web.Response:
        found = msgspec.json.decode(await request.read())["inputs"][0]
        data = [1.5 - 0.8 * x for x in found["data"]]
        answer = {"outputs": [{"name": "prediction", "datatype": "FP64", "shape": found["shape"], "data": data}]}
        return web.Response(body=msgspec.json.encode(answer), content_type="application/json")

    app = web.Application()
    app.router.add_post("/predict", predict)
    app.router.add_post(PATH, infer)
    return app


async def serve(task: Task) -> None:
    """The scenario `serving`."""
    runner = web.AppRunner(application(), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        await asked(task, f"http://{host}:{port}")
    finally:
        await runner.cleanup()

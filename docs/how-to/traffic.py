"""An endpoint whose public name has two arms and a shadow: python traffic.py [PORT]."""

import asyncio
import contextlib
import sys

from windlass.serving import Endpoint, EndpointOptions, LinearModel, ModelRepository
from windlass.serving.traffic import Arm, Route, Routes, Shadow, TrafficOptions

PRICES = Route(
    "prices",
    (Arm("now", "prices-1", weight=90), Arm("next", "prices-2", weight=10)),
    shadows=(Shadow("later", "prices-3", percent=50),),
    forced=True,
)


async def main(port: int) -> None:
    repository = ModelRepository()
    for number, bias in enumerate((1.5, 1.6, 1.7), 1):
        repository.add(f"prices-{number}", LinearModel(bias))
    options = EndpointOptions(plain_model="prices", traffic=TrafficOptions(Routes.of(PRICES), api=True))
    async with Endpoint(repository, port=port, options=options) as endpoint:
        print(f"endpoint {endpoint.url}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 8080))

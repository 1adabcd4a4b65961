"""Two models compared by what their users report: python experiment.py."""

import asyncio

import aiohttp
import numpy as np

from windlass.serving import Endpoint, EndpointOptions, LinearModel, ModelRepository
from windlass.serving.traffic import Arm, Experiment, Goal, Guardrail, Route, Routes, TrafficOptions

PLAN = Experiment(
    "bias-1",
    control="now",
    treatment="next",
    goal=Goal("reward", effect=0.1),
    guardrails=(Guardrail("errors"), Guardrail("slow")),
    promote=True,
)
ROUTE = Route("prices", (Arm("now", "prices-1", weight=50), Arm("next", "prices-2", weight=50)), experiment=PLAN)


async def user(session: aiohttp.ClientSession, key: str, rng: np.random.Generator) -> None:
    """Ask once, and report whether the answer was of use: more often so when it came from the second model."""
    async with session.post("/predict", json={"x": 2.5}, headers={"X-Experiment-Key": key}) as response:
        arm = response.headers["X-Model-Variant"]
    reward = float(rng.random() < (0.6 if arm == "next" else 0.4))
    async with session.post("/v2/traffic/prices/rewards", json={"rewards": [{"unit": key, "reward": reward}]}):
        pass


async def main() -> None:
    repository = ModelRepository()
    repository.add("prices-1", LinearModel(1.5))
    repository.add("prices-2", LinearModel(1.6))
    options = EndpointOptions(plain_model="prices", traffic=TrafficOptions(Routes.of(ROUTE), api=True))
    rng = np.random.default_rng(1)
    async with (
        Endpoint(repository, port=0, options=options) as endpoint,
        aiohttp.ClientSession(endpoint.url) as session,
    ):
        for number in range(100_000):
            await user(session, f"user-{number}", rng)
            if number % 100 == 0:
                async with session.get("/v2/traffic/prices/experiment") as response:
                    seen = await response.json()
                if seen["state"] != "collecting":
                    break
        async with session.get("/v2/traffic/prices") as response:
            print(seen["state"], (await response.json())["weights"])
        print(seen["why"])


if __name__ == "__main__":
    asyncio.run(main())

"""A promotion on a real API server and the embedded one, from its creation to each of its ends."""

import pytest
from promotion_house import condition, open_house, promotion, service, split

pytestmark = pytest.mark.realtime


@pytest.mark.parametrize("server", ["embedded", "kubernetes"])
async def test_in_knative_mode_the_candidate_takes_over_step_by_step(server):
    """A16: each weight is seen in the target before the next one is asked for."""
    async with open_house(server) as home, home.controller():
        await home.serving()

        await home.create(promotion())
        status = await home.ended()

        assert status.phase == "Succeeded", status.journal[-1]
        assert (status.previous.revision, status.candidate.revision) == (
            "digits-predictor-00001",
            "digits-predictor-00002",
        )
        found = await home.service()
        assert split(found) == {"digits-predictor-00002": 100}
        assert found["spec"]["predictor"] == service(storage="s3://models/digits/2")["spec"]["predictor"]
        assert found["metadata"]["generation"] == 4, "introduced, shifted, completed: three writes and no more"

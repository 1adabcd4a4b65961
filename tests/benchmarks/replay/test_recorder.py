"""A recording is of a population that changes as it was told to, or there is none and one error says why."""

import pytest
from servers import open_server

from windlass.benchmarks.errors import RecordingFailed
from windlass.benchmarks.replay.recorder import record
from windlass.benchmarks.widgets import WIDGET, name_of, population, widget
from windlass.informers.cluster import Cluster
from windlass.informers.errors import NotFound
from windlass.informers.keys import Key

NAMESPACE = "windlass-recorder-test"


@pytest.mark.realtime
async def test_another_number_of_widgets_and_one_that_cannot_be_changed_are_told_each_by_one_error():
    async with (
        open_server("embedded") as server,
        population(Cluster.from_dict(server.kubeconfig()), NAMESPACE, 2) as api,
    ):
        with pytest.raises(RecordingFailed, match=f"expected 3 widgets in {NAMESPACE}, found 2"):
            await record(api, NAMESPACE, 3)

        await api.delete(WIDGET, Key(NAMESPACE, name_of(1)))
        await api.create(WIDGET, widget(7, NAMESPACE))
        with pytest.raises(NotFound, match=name_of(1)):
            await record(api, NAMESPACE, 2)

        await api.delete(WIDGET, Key(NAMESPACE, name_of(7)))

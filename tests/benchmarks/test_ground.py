"""A ground that cannot be what was asked for is refused before any contender runs."""

import pytest
from recordings import recorded

from windlass.benchmarks.errors import UnusableRecording
from windlass.benchmarks.ground import Site


@pytest.mark.realtime
async def test_a_recording_of_another_number_of_widgets_is_refused_though_there_is_no_cluster(tmp_path):
    file = tmp_path / "recording"
    recorded(events=3).save(file)

    with pytest.raises(UnusableRecording, match="expected 4 widgets, found 3"):
        async with Site(tmp_path / "no-kubeconfig", objects=4).recorded(file):
            pass

    async with Site(tmp_path / "no-kubeconfig", objects=3).recorded(file):
        pass

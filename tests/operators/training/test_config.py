"""What the trainer is told is canonical, and read back strictly."""

import pytest

from windlass.operators.errors import TrainingError
from windlass.operators.training.config import TrainerConfig, parse_config, render_config
from windlass.operators.training.dataversion import DataRecord
from windlass.operators.training.softmax import Settings

CONFIG = TrainerConfig("r", DataRecord("/t", "id", 1, "d", 2, 3), 4, 0.2, Settings(5, 6, 0.1, 0.9, 0.0))


def test_a_document_reads_back_as_it_was_written():
    assert parse_config(render_config(CONFIG)) == CONFIG


def test_equal_configurations_give_equal_bytes():
    assert render_config(CONFIG) == render_config(parse_config(render_config(CONFIG)))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"run": "r"}'])
def test_anything_else_is_refused_as_a_corrupt_state(content):
    with pytest.raises(TrainingError, match=r"config\.json is not a configuration") as caught:
        parse_config(content)

    assert caught.value.reason == "StateCorrupt"

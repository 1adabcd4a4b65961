"""A job's timeline as a file: whole, the same each time, or not there."""

import sys
from pathlib import Path

import click
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from clusters import SUCCEEDED, house


@pytest.mark.realtime(limit=120)
@pytest.mark.parametrize("kind", ["embedded", "kubernetes"])
async def test_the_picture_of_a_job_is_printed_or_written(kind, tmp_path):
    async with house(kind, tmp_path) as lab:
        await lab.promotion(await lab.job("digits", SUCCEEDED), phase="Holding", weight=50)
        printed = await lab.run("timeline", "digits")
        written = await lab.run("timeline", "digits", "-o", str(tmp_path / "t.svg"))

    assert (written.return_value, written.output) == (0, "")
    assert (tmp_path / "t.svg").read_text() == printed.output
    assert "attempt 2" in printed.output
    assert f"<title>{lab.namespace}/digits: Succeeded</title>" in printed.output


@pytest.mark.realtime
async def test_a_folder_that_is_not_there_is_an_error_and_leaves_nothing(tmp_path):
    async with house("embedded", tmp_path) as lab:
        await lab.job("digits", SUCCEEDED)
        found = await lab.run("timeline", "digits", "-o", str(tmp_path / "no" / "t.svg"))

    assert isinstance(found.exception, click.BadParameter)
    assert found.exception.message == f"{tmp_path / 'no' / 't.svg'} cannot be written: No such file or directory"
    assert not (tmp_path / "no").exists()

"""The page on hardware prints what its program prints."""

from pathlib import Path

import pytest
from programs import run

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to"


@pytest.mark.realtime
async def test_the_program_prints_what_the_page_shows(tmp_path):
    ended = await run(str(HOW_TO / "hardware.py"), cwd=tmp_path)

    assert (ended.code, ended.err) == (0, "")
    assert f"```\n{ended.out}```\n" in (HOW_TO / "hardware.md").read_text("utf-8")

"""The bands of `bands.toml`: what each pair may cost at most, as a multiple of its floor.

A band is a share by which the ratio may grow beyond the one recorded last. Recording appends to the file's history and
changes nothing else, so that the history cannot be rewritten by accident. Ratios depend on the interpreter and on the
processor's architecture: only what was recorded on the same ones is compared with.
"""

import json
import platform
import tomllib
from collections.abc import Mapping
from pathlib import Path

import attrs

PATH = Path(__file__).with_name("bands.toml")


@attrs.frozen
class Place:
    """Where ratios are comparable."""

    python: str
    machine: str

    @classmethod
    def here(cls) -> "Place":
        return cls(".".join(platform.python_version_tuple()[:2]), platform.machine())

    def __str__(self) -> str:
        return f"Python {self.python} on {self.machine}"


@attrs.frozen
class Band:
    """`recorded` is the last ratio that was accepted; it may grow by the share `wider`."""

    name: str
    recorded: float
    wider: float

    @property
    def most(self) -> float:
        """The largest ratio that holds."""
        return self.recorded * (1.0 + self.wider)

    @property
    def least(self) -> float:
        """What is below is so much better that it should be recorded, lest the gain be lost unseen."""
        return self.recorded / (1.0 + self.wider)


def read(text: str, place: Place) -> dict[str, Band]:
    """The bands by name. Raises ValueError, naming the pair, when one was never recorded at this place."""
    document = tomllib.loads(text)
    wider: dict[str, float] = document["bands"]
    recorded: dict[str, float] = {}
    for entry in document.get("history", ()):
        if (entry["python"], entry["machine"]) == (place.python, place.machine):
            recorded |= entry["ratios"]
    missing = [name for name in wider if name not in recorded]
    if missing:
        raise ValueError(f"{', '.join(missing)}: never recorded for {place}; do so with --record WHY")
    return {name: Band(name, recorded[name], wider[name]) for name in wider}


def entry(ratios: Mapping[str, float], place: Place, *, date: str, commit: str, why: str) -> str:
    """What is appended to the file. JSON quotes text as TOML does."""
    lines = ["", "[[history]]", f"date = {date}", f"commit = {json.dumps(commit)}", f"why = {json.dumps(why)}"]
    lines += [f"python = {json.dumps(place.python)}", f"machine = {json.dumps(place.machine)}"]
    inner = ", ".join(f"{name} = {ratio:.3f}" for name, ratio in ratios.items())
    return "\n".join([*lines, f"ratios = {{ {inner} }}", ""])

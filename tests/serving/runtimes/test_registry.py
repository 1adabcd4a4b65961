"""Formats that are built in, and those that packages bring."""

from importlib.metadata import EntryPoint

import pytest

from windlass.serving.errors import ModelError
from windlass.serving.runtimes import LinearModel, registry
from windlass.serving.runtimes.registry import RUNTIMES, Installed, Registry, known_runtimes


class Brought:
    def load(self, source):
        return LinearModel()


instance = Brought()
nothing = 3


@pytest.fixture
def bring(monkeypatch):
    def entries(**found):
        made = {name: EntryPoint(name, f"{__name__}:{value}", registry.GROUP) for name, value in found.items()}
        monkeypatch.setattr(registry, "_installed", lambda: made)

    return entries


def test_the_built_in_formats_are_known_and_none_of_them_runs_code():
    assert {"linear", "onnx"} <= set(RUNTIMES)
    assert "python" not in RUNTIMES
    assert "python" in known_runtimes(python=True)


def test_a_package_brings_a_format_as_a_class_or_as_a_value(bring):
    bring(one="Brought", two="instance")
    assert isinstance(RUNTIMES["one"], Brought)
    found = Installed()
    assert found["two"] is instance
    assert found["one"] is found["one"]
    assert sorted(found) == ["one", "two"]


def test_no_package_takes_the_name_of_a_built_in_one(bring):
    bring(linear="Brought")
    assert not isinstance(RUNTIMES["linear"], Brought)
    assert len(RUNTIMES) == 2


@pytest.mark.parametrize(
    ("value", "why"),
    [("gone", "cannot be imported: AttributeError"), ("nothing", "is no Runtime: it has no method 'load'")],
)
def test_one_that_cannot_be_used_is_named(bring, value, why):
    bring(mine=value)
    with pytest.raises(ModelError, match=f"format 'mine': .*{value} {why}"):
        Installed()["mine"]


def test_what_is_not_known_is_a_key_error():
    with pytest.raises(KeyError):
        Registry({}, beside={})["x"]

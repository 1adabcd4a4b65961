"""A family is a short module of data: ours, and one of an installed package, which the trainer finds by its name."""

import json
import sys
from pathlib import Path

import pytest

from windlass.controller.errors import ExecutorNotFound
from windlass.operators.training.llm import families
from windlass.operators.training.llm.family import CONTRACT, family_registry

PLUGIN = Path(__file__).parents[4] / "docs" / "examples" / "family-plugin" / "windlass_mistral_family.py"
OURS = sorted(path for path in Path(families.__file__).parent.glob("*.py") if path.name != "__init__.py")
LINES_MAX = 40


@pytest.mark.parametrize("path", [*OURS, PLUGIN], ids=lambda path: path.stem)
def test_a_family_is_a_module_of_under_forty_lines(path):
    assert len(path.read_text().splitlines()) < LINES_MAX


def test_ours_are_found_by_the_type_of_the_model():
    registry = family_registry(discover=lambda: ())

    assert registry.names() == ("gpt2", "llama")
    for name in registry.names():
        assert registry.get(name).name == name
        assert all(hasattr(registry.get(name), part) for part in CONTRACT)
    with pytest.raises(ExecutorNotFound, match=r"no model family .*'bert'"):
        registry.get("bert")


@pytest.mark.realtime(limit=240)
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_an_installed_family_is_tuned_like_ours(run, tmp_path, monkeypatch):
    """The package as its readers would have it: a module and an entry point, and nothing else changes."""
    from packages import install

    from windlass.operators.training.llm.trainer import main

    monkeypatch.syspath_prepend(str(install("family-plugin", tmp_path / "plugin")))
    folder, _ = run(family="mistral")
    try:
        assert main([str(folder.path), "--attempt", "1"]) == 0
    finally:
        sys.modules.pop("windlass_mistral_family", None)

    assert folder.result().format == "peft"
    adapter = json.loads((folder.bundle / "adapter" / "adapter_config.json").read_text())
    assert {"gate_proj", "q_proj"} <= set(adapter["target_modules"])


def test_without_the_package_its_models_are_refused_by_name(run):
    from windlass.operators.training.llm.trainer import main

    folder, _ = run(family="mistral")

    assert main([str(folder.path), "--attempt", "1"]) == 1
    assert folder.failure().reason == "FamilyNotFound"
    assert "mistral" in folder.failure().message

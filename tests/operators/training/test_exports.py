"""What the package offers, and what a trainer does not have to import for it."""

import subprocess
import sys

import pytest

import windlass.operators.training as package
from windlass.operators.training.types import TrainingJob


def test_every_name_is_there():
    assert TrainingJob is package.TrainingJob
    assert all(getattr(package, name) for name in package.__all__)
    assert set(package._HOMES) == set(package.__all__)


def test_any_other_name_is_an_ordinary_error():
    with pytest.raises(AttributeError, match="has no attribute 'nosuch'"):
        package.nosuch  # noqa: B018


def test_a_trainer_imports_neither_a_controller_nor_an_http_client():
    program = "import sys, windlass.operators.training.trainer; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    unwanted = ("aiohttp", "kubernetes_asyncio", "prometheus_client", "windlass.controller", "windlass.informers")
    assert [name for name in loaded if name.startswith(unwanted)] == []

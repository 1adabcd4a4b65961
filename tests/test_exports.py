"""`__all__` says exactly what each module offers."""

import ast
import importlib
import inspect
import pkgutil

import pytest

PACKAGES = (
    "statemachine",
    "informers",
    "manifests",
    "controller",
    "serving",
    "envtest",
    "operators",
    "benchmarks",
    "cli",
)


def modules():
    for package in PACKAGES:
        root = importlib.import_module(f"windlass.{package}")
        yield root.__name__
        for found in pkgutil.walk_packages(root.__path__, f"windlass.{package}."):
            name = found.name.rpartition(".")[2]
            if not name.startswith("_"):
                yield found.name


@pytest.mark.parametrize("name", sorted(modules()))
def test_all_is_a_tuple_of_names_that_exist_and_are_its_own(name):
    module = importlib.import_module(name)

    assert isinstance(module.__all__, tuple), "a tuple cannot be appended to by accident"
    assert len(set(module.__all__)) == len(module.__all__)
    missing = [public for public in module.__all__ if not hasattr(module, public)]
    assert missing == []


@pytest.mark.parametrize("name", sorted(modules()))
def test_every_public_class_and_function_is_listed(name):
    module = importlib.import_module(name)
    tree = ast.parse(inspect.getsource(module))
    defined = {
        node.name
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_")
    }

    assert defined - set(module.__all__) == set()

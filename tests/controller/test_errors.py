"""Each error says who, where and what now; and the tree in the module's text is the tree there is."""

import inspect
import re

import pytest

from windlass.controller import errors
from windlass.controller.errors import (
    BrokenExecutor,
    DuplicateExecutor,
    DuplicateName,
    ExecutorNotFound,
    GraceExceeded,
    KindNotRegistered,
)
from windlass.statemachine.errors import WindlassError

CLASSES = [value for value in vars(errors).values() if inspect.isclass(value) and value.__module__ == errors.__name__]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_error_is_ours_is_exported_and_stands_in_the_tree(cls):
    assert issubclass(cls, WindlassError)
    assert cls.__name__ in errors.__all__
    assert re.search(rf"\b{cls.__name__}\b", errors.__doc__)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (KindNotRegistered("Pad", "the controller x"), "the controller x uses the kind Pad, which is not registered"),
        (DuplicateName("x"), "the name 'x' is already used in this manager"),
        (GraceExceeded(30.0, ["a", "b"]), "the orderly stop took longer than 30 s; still running: a, b"),
        (ExecutorNotFound("x", []), "there is no executor named 'x'; known executors: none at all"),
        (DuplicateExecutor("x", "p:A", "q:B"), "two executors are named 'x': p:A and q:B"),
        (BrokenExecutor("x", "p:A", "it has no start"), "the executor 'x' from p:A cannot be used: it has no start"),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, Exception) else "",
)
def test_messages_are_one_clear_sentence(error, text):
    assert str(error).startswith(text)
    assert "\n" not in str(error)

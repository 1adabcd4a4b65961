"""Annotations come apart into type, markers and optionality."""

from typing import Annotated, Any, Literal, NewType, Optional, Union

import pytest

from windlass.manifests.annotations import Peeled, is_union, peel

Port = NewType("Port", int)


@pytest.mark.parametrize(
    ("annotation", "base", "markers", "optional"),
    [
        pytest.param(int, int, (), False, id="bare"),
        pytest.param(int | None, int, (), True, id="optional"),
        pytest.param(Optional[int], int, (), True, id="typing optional"),  # noqa: UP045 - both spellings are legal
        pytest.param(Annotated[int, "a"], int, ("a",), False, id="marked"),
        pytest.param(Annotated[int | None, "a"], int, ("a",), True, id="marked optional"),
        pytest.param(Annotated[int, "a"] | None, int, ("a",), True, id="optional marked"),
        pytest.param(Annotated[Annotated[int, "a"] | None, "b"], int, ("a", "b"), True, id="inner before outer"),
        pytest.param(Annotated[Port, "a"], int, ("a",), False, id="new type"),
        pytest.param(int | str | None, int | str, (), True, id="union"),
        pytest.param(Any, Any, (), False, id="any"),
        pytest.param(Literal["a", "b"], Literal["a", "b"], (), False, id="literal"),
    ],
)
def test_an_annotation_is_peeled_to_its_core(annotation, base, markers, optional):
    assert peel(annotation) == Peeled(base, markers, optional)


def test_both_spellings_of_a_union_are_unions():
    assert is_union(int | str)
    assert is_union(Union[int, str])  # noqa: UP007
    assert not is_union(int)

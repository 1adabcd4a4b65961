"""A check's parameters are a frozen class whose markers say what is allowed; all faults come in one error.

This module does not know any check.
"""

import functools
import re
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from windlass.informers.errors import StructureError
from windlass.informers.typed import structure
from windlass.manifests.defaulting import completed
from windlass.manifests.schema import schema_of
from windlass.manifests.validation import JsonSchema, faults
from windlass.operators.errors import CheckError

__all__ = ("read_parameters",)

T = TypeVar("T")

_ROOT = re.compile(r"(^|; )\$\.?")


def read_parameters(given: Mapping[str, object], cls: type[T]) -> T:
    """The instance of `cls` that `given` describes, with defaults. A field that `cls` lacks is a fault.

    Raises CheckError with the reason InvalidParameters: `parameters.epsilon: expected a number …, found …`.
    """
    value, schema = dict(given), _schema(cast("Any", cls))
    found = faults(completed(value, schema), schema)
    if not found:
        try:
            return structure(value, cls)
        except StructureError as error:
            found = [str(error)]
    raise CheckError(_ROOT.sub(r"\1parameters.", "; ".join(found)), reason="InvalidParameters")


@functools.cache
def _schema(cls: type[Any]) -> JsonSchema:
    return schema_of(cls)

"""What an executor says of its Pods before they have any hardware. This module does not know executors."""

from collections.abc import Mapping
from typing import Any

import attrs

__all__ = ("Outline",)


@attrs.frozen
class Outline:
    """The Pods that a job makes: so many of this template, which no hardware has been written into yet."""

    template: Mapping[str, Any]
    pods: int = 1

"""How a release behaves is scripted by what its predictor names: an image, a runtime's version, where a model lies."""

from collections.abc import Mapping
from typing import Literal

import attrs

from windlass.envtest.workloads.objects import Json, at

__all__ = ("Behaviour", "behaviour_of", "release_text")


@attrs.frozen
class Behaviour:
    """What becomes of a predictor.

    It is ready after `ready_seconds`, unless it `fails`: `load` is a model that cannot be loaded (BlockedByFailedLoad),
    `spec` one that KServe cannot follow (InvalidSpec), `unready` one that is never ready though nothing says why, and
    `silent` one of which nothing is ever heard. With `breaks`, it was ready once and is not any more. `leak` percent of
    the traffic stay at the revision before the one last rolled out, as was seen of canaries that follow each other.
    """

    ready_seconds: float = 0.0
    fails: Literal["", "load", "spec", "unready", "silent"] = ""
    breaks: bool = False
    leak: int = 0

    @property
    def comes_up(self) -> bool:
        """Whether it is ever ready."""
        return not self.fails


def release_text(predictor: Json) -> str:
    """What a predictor names, in one text: its image or runtime's version, and its storage."""
    containers = predictor.get("containers") or ()
    parts = [str(at(one, "image") or "") for one in containers]
    parts += [str(at(predictor, "model", field) or "") for field in ("image", "runtimeVersion", "storageUri")]
    return " ".join(part for part in parts if part)


def behaviour_of(release: str, script: Mapping[str, Behaviour]) -> Behaviour:
    """The behaviour of the first key that stands in what a predictor names; the good one if none does."""
    return next((one for key, one in script.items() if key in release), Behaviour())

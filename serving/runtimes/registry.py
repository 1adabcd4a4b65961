"""The formats of model folders: the built-in ones, and those that installed packages bring (`windlass.runtimes`).

An entry point of that group is a format's name and a Runtime, or a class whose instances are one. It is imported when
the first model of its format is loaded. No package can take the name of a built-in format.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from windlass.serving.errors import ModelError
from windlass.serving.runtimes.base import Runtime
from windlass.serving.runtimes.linear import LinearRuntime
from windlass.serving.runtimes.onnx import OnnxRuntime
from windlass.serving.runtimes.python import PythonRuntime

__all__ = ("GROUP", "RUNTIMES", "Installed", "Registry", "known_runtimes")

GROUP = "windlass.runtimes"

_BUILT_IN: Mapping[str, Runtime] = {"linear": LinearRuntime(), "onnx": OnnxRuntime()}


@cache
def _installed() -> dict[str, EntryPoint]:
    return {one.name: one for one in entry_points(group=GROUP)}


class Installed(Mapping[str, Runtime]):
    """The runtimes that packages bring. Looking one up imports it; ModelError says why it cannot be used."""

    def __init__(self) -> None:
        self._loaded: dict[str, Runtime] = {}

    def __repr__(self) -> str:
        return f"<Installed {', '.join(sorted(self))}>"

    def __getitem__(self, name: str) -> Runtime:
        if name not in self._loaded:
            self._loaded[name] = _loaded(_installed()[name])
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_installed())

    def __len__(self) -> int:
        return len(_installed())


class Registry(Mapping[str, Runtime]):
    """Runtimes by format: `own`, and those `beside` whose names are not taken."""

    def __init__(self, own: Mapping[str, Runtime], *, beside: Mapping[str, Runtime]) -> None:
        self._own = own
        self._beside = beside

    def __repr__(self) -> str:
        return f"<Registry {', '.join(sorted(self))}>"

    def __getitem__(self, name: str) -> Runtime:
        return self._own[name] if name in self._own else self._beside[name]

    def __iter__(self) -> Iterator[str]:
        return iter({*self._own, *self._beside})

    def __len__(self) -> int:
        return len({*self._own, *self._beside})


def _loaded(entry: EntryPoint) -> Runtime:
    try:
        found = entry.load()
        runtime = found() if isinstance(found, type) else found
    except Exception as error:
        raise ModelError(
            f"format {entry.name!r}: {entry.value} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    if not callable(getattr(runtime, "load", None)):
        raise ModelError(f"format {entry.name!r}: {entry.value} is no Runtime: it has no method 'load'")
    return runtime  # type: ignore[no-any-return]  # what a runtime is, its loads will show


RUNTIMES: Mapping[str, Runtime] = Registry(_BUILT_IN, beside=Installed())
"""The formats that are known when nobody says otherwise; none of them runs code that a model folder names."""


@cache
def known_runtimes(*, python: bool = False) -> Mapping[str, Runtime]:
    """The formats that are known; with `python` also the one that runs code that a model folder names."""
    if not python:
        return RUNTIMES
    return Registry({"python": PythonRuntime()}, beside=RUNTIMES)

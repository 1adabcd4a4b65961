"""Of kubernetes-asyncio only what reads configurations is imported; its models come when somebody asks for them.

The packages of its models import over seven hundred modules: 34 MB and a third of a second of CPU, of which reading
a kubeconfig needs nothing. For others in the process that use them nothing changes but the moment.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from threading import RLock
from types import ModuleType
from typing import Any, Final

__all__ = ("configuration_module",)

_PACKAGE: Final = "kubernetes_asyncio"
_CLIENT: Final = f"{_PACKAGE}.client"
_LATE: Final = frozenset({_CLIENT, f"{_CLIENT}.models"})
# What other modules of the library import from the package's top, and where it is.
_ALONE: Final = {"Configuration": "configuration", "ApiClient": "api_client"}
_LOADING: Final = RLock()


class _Late(ModuleType):
    """A package that is executed when something is asked of it that is not there yet."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__all__":
            raise AttributeError(name)
        if self.__name__ == _CLIENT and name in _ALONE:
            return getattr(import_module(f"{_CLIENT}.{_ALONE[name]}"), name)
        if find_spec(f"{self.__name__}.{name}") is not None:
            return import_module(f"{self.__name__}.{name}")
        with _LOADING:
            loader = self.__spec__.loader if self.__spec__ is not None else None
            if isinstance(loader, _LateLoader) and not loader.begun:
                loader.begun = True
                loader.now(self)
                self.__class__ = ModuleType  # type: ignore[assignment]  # the same object is the whole package now
        # Asked by what is being executed, it is as incomplete as any package is meanwhile.
        return ModuleType.__getattribute__(self, name)

    def __dir__(self) -> list[str]:
        getattr(self, "__all__", None)
        return dir(self)


class _LateLoader(Loader):
    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self.begun = False

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Late(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass

    def now(self, module: ModuleType) -> None:
        self._loader.exec_module(module)


class _Finder(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name in _LATE else None
        if spec is not None and spec.loader is not None:
            spec.loader = _LateLoader(spec.loader)
        return spec


def configuration_module(name: str) -> Any:
    """The module `kubernetes_asyncio.NAME`."""
    if _PACKAGE not in sys.modules:
        finder = _Finder()
        sys.meta_path.insert(0, finder)
        try:
            import_module(_PACKAGE)
        finally:
            sys.meta_path.remove(finder)
    return import_module(f"{_PACKAGE}.{name}")

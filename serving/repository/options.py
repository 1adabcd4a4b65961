"""A repository that is told nothing serves the latest version of each model, and has room for all of them."""

from collections.abc import Collection, Mapping

import attrs

from windlass.serving.errors import ModelError
from windlass.serving.repository.settings import Latest, Versions
from windlass.serving.runtimes import RUNTIMES, PythonRuntime, Runtime
from windlass.serving.runtimes.registry import Registry
from windlass.serving.sources.cache import Cache, default_folder

__all__ = ("RepositoryOptions",)


@attrs.frozen
class RepositoryOptions:
    """`versions` is which versions serve of models whose folder does not say it.

    `memory_bytes_max` bounds what the models take together, None for no bound; models in `pinned` are never evicted.
    Without `autoload` nothing is loaded before `load` asks for it. A version must be warm within `load_seconds`.
    `runtimes` are the formats that are known, by name; with `allow_code` also `python`, which runs code that a model's
    folder names: whoever may write to the repository may then run code here.

    `cache` keeps copies of model files that lie elsewhere; 10 GiB of them in the user's cache by default.

    Raises ModelError when a value cannot be meant.
    """

    versions: Versions = attrs.field(factory=Latest)
    memory_bytes_max: int | None = None
    pinned: Collection[str] = frozenset()
    autoload: bool = True
    load_seconds: float = 300.0
    runtimes: Mapping[str, Runtime] = attrs.field(default=RUNTIMES, repr=False)
    allow_code: bool = False
    cache: Cache = attrs.field(factory=lambda: Cache(default_folder()))

    def __attrs_post_init__(self) -> None:
        if self.memory_bytes_max is not None and self.memory_bytes_max < 1:
            raise ModelError(f"memory_bytes_max: expected at least 1, found {self.memory_bytes_max}")
        if not self.load_seconds > 0:
            raise ModelError(f"load_seconds: expected more than 0, found {self.load_seconds}")

    @property
    def formats(self) -> Mapping[str, Runtime]:
        """The formats of this repository."""
        return Registry({"python": PythonRuntime()}, beside=self.runtimes) if self.allow_code else self.runtimes

"""A key names one object of a known kind: its namespace ("" for cluster-scoped objects) and its name, nothing more."""

from typing import NamedTuple

__all__ = ("Key",)


class Key(NamedTuple):
    """`Key("default", "a")`; written `default/a`, or `a` when there is no namespace."""

    namespace: str
    name: str

    @classmethod
    def parse(cls, text: str) -> "Key":
        """The key written as `namespace/name` or `name`; the inverse of `str`. Raises ValueError for anything else."""
        namespace, slash, name = text.rpartition("/")
        if not name or "/" in namespace or (slash and not namespace):
            raise ValueError(f"not an object key: expected 'namespace/name' or 'name', found {text!r}")
        return cls(namespace, name)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

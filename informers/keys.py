"""A key names one object of a known kind: its namespace ("" for cluster-scoped objects) and its name, nothing more."""

import msgspec

__all__ = ("Key",)


class Key(msgspec.Struct, frozen=True, order=True, gc=False):
    """`Key("default", "a")`; written `default/a`, or `a` when there is no namespace.

    It holds nothing but text, so the garbage collector need not look at it: a store has one for every object, and with
    100 000 of them (as tuples, say) each full collection would hold the loop for tens of milliseconds.
    """

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

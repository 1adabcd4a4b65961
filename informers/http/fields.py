"""The fields of a head, found by name in any case; nothing is made of them until somebody looks.

Pure.
"""

from collections.abc import Iterator, Mapping

from multidict import CIMultiDict

__all__ = ("Fields",)


class Fields(Mapping[str, str]):
    """Of a name that came several times, the first value."""

    __slots__ = ("_found", "_raw")

    def __init__(self, raw: list[tuple[bytes, bytes]]) -> None:
        self._raw = raw
        self._found: CIMultiDict[str] | None = None

    def __getitem__(self, name: str) -> str:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(self._fields))

    def __len__(self) -> int:
        return len(dict.fromkeys(self._fields))

    @property
    def _fields(self) -> CIMultiDict[str]:
        if self._found is None:
            self._found = CIMultiDict((name.decode("latin-1"), value.decode("latin-1")) for name, value in self._raw)
        return self._found

    def __repr__(self) -> str:
        return f"<Fields {dict(self)}>"

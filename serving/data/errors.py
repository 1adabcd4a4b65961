"""What is wrong with data says which file, which row, which column, what was found, and what to do.

WindlassError
└── DataProblem            the root of this room
    ├── SchemaError        the schema, or a file's header against it
    ├── BadRow             a row that breaks the schema, where rows must not
    ├── Unreadable         the file: missing, no text, a record without an end, no image, too large
    ├── StateMismatch      a state to resume from that belongs to other data or other settings
    ├── Skew               a fitted pipeline that is not the one that a model was trained with
    └── LibraryMissing     the library that reads this is not installed
"""

from windlass.statemachine.errors import WindlassError

__all__ = ("BadRow", "DataProblem", "LibraryMissing", "SchemaError", "Skew", "StateMismatch", "Unreadable")


class DataProblem(WindlassError):
    """The root of this room."""


class SchemaError(DataProblem):
    """The schema breaks its own rules, or a file has other columns."""


class BadRow(DataProblem):
    """A row breaks the schema. `row` counts data rows from 1, `offset` is that of its first byte in the file."""

    def __init__(self, where: str, *, row: int, offset: int, why: str) -> None:
        self.row, self.offset, self.why = row, offset, why
        super().__init__(f"{where} row {row} (byte {offset}): {why}")


class Unreadable(DataProblem):
    """The file cannot be read as what it should be."""


class StateMismatch(DataProblem):
    """A state belongs to other files, another schema, or other settings."""


class Skew(DataProblem):
    """The pipeline does not compute here what it computed when the model was trained."""


class LibraryMissing(DataProblem):
    """An optional library is missing."""

    def __init__(self, library: str, *, extra: str) -> None:
        super().__init__(f"this needs {library}: pip install 'windlass[{extra}]'")

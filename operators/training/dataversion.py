"""A data version is resolved once; table id, version and the digest of its files are compared ever after (A2, A3, A4).

The library reports several faults by one exception type: it says "table not found" also for a version that was
cleaned from the log, and opens a version whose files are gone. `judge` tells them apart from plain facts, without
I/O. This module does not know what the rows mean.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import unquote

import attrs

from windlass.operators.errors import DataError, ExtraMissing
from windlass.operators.training.files import canonical_json, sha256_of
from windlass.operators.training.lines import LINES_ID, is_lines, read_lines
from windlass.operators.training.storage import is_remote, masked, options_for, scheme_of

if TYPE_CHECKING:
    from deltalake import DeltaTable

__all__ = ("DataRecord", "Opened", "Refused", "is_panic", "judge", "resolve")

_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")
_DETAIL_MAX: Final = 400
_ESCAPE: Final = re.compile(r"%[0-9A-Fa-f]{2}")


@attrs.frozen
class DataRecord:
    """What a job trains on, pinned: `filesSha256` covers the path, size and deletion vector of every file."""

    uri: str
    table_id: str
    version: int
    files_sha256: str
    num_files: int
    rows: int


@attrs.frozen
class Opened:
    """The library opened a version. `missing` are paths of files that the version needs and the disk has not."""

    record: DataRecord
    missing: tuple[str, ...] = ()


@attrs.frozen
class Refused:
    """The library did not open it: `kind` sorts its exception, `detail` is its first line."""

    kind: Literal["absent", "unreachable", "unsupported", "incomplete", "corrupt", "broken"]
    detail: str


def resolve(uri: str, version: int | str, *, expected_table_id: str | None = None) -> DataRecord:
    """Find the version and prove that it can be read. Blocks: call it in a thread.

    `version` "latest" is whatever is newest now. `expected_table_id` is what an earlier run pinned. Raises DataError
    with the reason TableNotFound, DataVersionNotFound, DataVersionExpired, TableIdMismatch, DataFilesMissing,
    TableCorrupt, UnsupportedTableFeature or TableUnreachable, and ExtraMissing without the library.
    """
    if not (scheme_of(uri) or uri.startswith("/")):
        raise DataError(f"data.uri: expected an absolute path or a URI, found {uri!r}", reason="TableNotFound")
    if version != "latest" and (isinstance(version, str) or version < 0):
        # The schema's rule says so too, but not every server evaluates rules.
        raise DataError(
            f"data.version: expected an integer from 0 up or 'latest', found {version!r}", reason="DataVersionNotFound"
        )
    wanted = version if isinstance(version, int) else None
    if is_lines(uri):
        return _lines(uri, wanted, expected_table_id)
    asked = _open(uri, wanted)
    # The newest version is only needed to say why the one asked for cannot be opened.
    newest = _open(uri, None) if isinstance(asked, Refused) and wanted is not None else asked
    return judge(uri, asked, version=wanted, newest=newest, expected_table_id=expected_table_id)


def _lines(uri: str, version: int | None, expected_table_id: str | None) -> DataRecord:
    if version not in (None, 0):
        raise DataError(f"{uri} is a file of JSON lines, whose only version is 0", reason="DataVersionNotFound")
    digest, _, rows = read_lines(uri)
    seen = Opened(DataRecord(uri, LINES_ID, 0, digest, 1, rows))
    return judge(uri, seen, version=0, newest=seen, expected_table_id=expected_table_id)


def judge(
    uri: str, asked: Opened | Refused, *, version: int | None, newest: Opened | Refused, expected_table_id: str | None
) -> DataRecord:
    """Turn what was seen into a record, or into the one reason that fits (A2). Pure; see `resolve` for the errors."""
    if isinstance(asked, Refused):
        raise _refusal(uri, asked, version=version, newest=newest)
    record = asked.record
    if expected_table_id is not None and record.table_id != expected_table_id:
        raise DataError(
            f"{uri} is table {record.table_id}, expected {expected_table_id}: it was made anew at the same place",
            reason="TableIdMismatch",
        )
    if asked.missing:
        raise DataError(
            f"{uri} version {record.version}: {len(asked.missing)} of {record.num_files} data files are gone, "
            f"the first is {asked.missing[0]}",
            reason="DataFilesMissing",
        )
    return record


def _refusal(uri: str, asked: Refused, *, version: int | None, newest: Opened | Refused) -> DataError:
    if isinstance(newest, Opened) and version is not None:
        last = newest.record.version
        if version > last:
            return DataError(f"{uri} has no version {version}, its newest is {last}", reason="DataVersionNotFound")
        if asked.kind in ("absent", "incomplete"):
            return DataError(f"{uri} version {version} was cleaned from the table's log", reason="DataVersionExpired")
    # The newest version's fault is the table's; the one asked for may only look worse ("version not found").
    kind = newest.kind if isinstance(newest, Refused) else asked.kind
    detail = newest.detail if isinstance(newest, Refused) else asked.detail
    if kind == "absent":
        return DataError(f"there is no Delta table at {uri} ({detail}){_hint(uri)}", reason="TableNotFound")
    if kind == "unsupported":
        return DataError(
            f"{uri} needs a feature of Delta Lake that cannot be read: {detail}", reason="UnsupportedTableFeature"
        )
    if kind == "unreachable":
        return DataError(f"{uri} cannot be reached: {detail}", reason="TableUnreachable")
    what = f"the Delta library cannot cope with {uri}" if kind == "broken" else f"the log of {uri} is damaged"
    return DataError(f"{what}: {detail}", reason="TableCorrupt")


def _hint(uri: str) -> str:
    if scheme_of(uri) in ("http", "https"):
        return ": a server that speaks S3 or WebDAV is reached by s3:// or webdav:// and its address in the options"
    if not is_remote(uri) and _ESCAPE.search(uri):
        return f": the library takes {_ESCAPE.search(uri)[0]} for an escape, in paths too; rename the folder"  # type: ignore[index]
    return ""


def _open(uri: str, version: int | None) -> Opened | Refused:
    try:
        import deltalake  # noqa: PLC0415  (an extra, and slow to import)
    except ImportError as error:
        raise ExtraMissing("deltalake", needed_for="a Delta table", extra="delta") from error
    try:
        options = options_for(uri)
        table = deltalake.DeltaTable(uri, version=version, storage_options=options)
        return _opened(uri, table)
    except deltalake.exceptions.TableNotFoundError as error:
        unknown = "Unknown scheme" in str(error)
        return Refused("absent", f"the Delta library reads no {scheme_of(uri)}://" if unknown else _first_line(error))
    except deltalake.exceptions.DeltaError as error:
        return Refused(_kind(str(error)), _first_line(error))
    except OSError as error:
        return Refused("absent" if _says_absent(str(error)) else "unreachable", _in_one_line(error))
    except OverflowError as error:
        return Refused("corrupt", f"version {version}: {error}")
    except BaseException as error:
        if not is_panic(error):
            raise
        return Refused("broken", _first_line(error))


def is_panic(error: BaseException) -> bool:
    """Whether a library in Rust gave up in the middle of its work: no `Exception`, and it would do so again."""
    return type(error).__name__ == "PanicException"


def _kind(text: str) -> Literal["unsupported", "incomplete", "corrupt"]:
    # The library has one exception type for these; its words are all there is to go by.
    if "Unsupported" in text or "not supported" in text or "catalog-managed" in text:
        return "unsupported"
    if "No table metadata or protocol" in text or "No files in log segment" in text:
        return "incomplete"
    return "corrupt"


def _opened(uri: str, table: "DeltaTable") -> Opened:
    actions = table.get_add_actions(flatten=True)
    names = set(actions.schema.names)

    def column(name: str) -> list[object]:
        return list(actions.column(name).to_pylist()) if name in names else [None] * actions.num_rows

    paths, sizes, counts = column("path"), column("size_bytes"), column("num_records")
    vectors = column("deletionVector.pathOrInlineDv")
    digest = sha256_of(
        canonical_json(
            {
                "files": sorted(
                    [str(path), size, vector] for path, size, vector in zip(paths, sizes, vectors, strict=True)
                )
            }
        )
    )
    missing = _missing(uri, [str(path) for path in paths], table)
    rows = 0 if missing else _count_rows(table, counts)
    record = DataRecord(uri, str(table.metadata().id), int(table.version()), digest, len(paths), rows)
    return Opened(record, missing=missing)


def _count_rows(table: "DeltaTable", counts: list[object]) -> int:
    known = [count for count in counts if isinstance(count, int)]
    # A deletion vector hides rows that the statistics count, and a writer may leave the statistics out.
    if len(known) == len(counts) and not table.protocol().reader_features:
        return sum(known)
    import deltalake  # noqa: PLC0415  (an extra)

    counted = deltalake.QueryBuilder().register("t", table).execute("select count(*) as n from t")
    return sum(int(str(value)) for batch in counted for value in batch.column("n").to_pylist())


def _missing(uri: str, paths: list[str], table: "DeltaTable") -> tuple[str, ...]:
    """Files that do not exist. What lies elsewhere is listed once, and not asked for one by one."""
    if is_remote(uri):
        return tuple(sorted(str(path) for path in table.repair(dry_run=True)["files_removed"]))
    root = Path(unquote(uri.removeprefix("file://"))) if uri.startswith("file://") else Path(uri)
    # The log escapes some paths and not others, so a file is missing only if no reading of its name is there.
    return tuple(sorted(path for path in paths if not any((root / name).exists() for name in (path, unquote(path)))))


def _says_absent(text: str) -> bool:
    """Whether a store has said that there is no such bucket or container, which no second try brings."""
    return "NoSuchBucket" in text or "ContainerNotFound" in text


def _in_one_line(error: BaseException) -> str:
    """The outermost and the innermost of the library's causes, which it draws as a tree with colours."""
    text = _COLOURS.sub("", str(error))
    causes = [" ".join(part.split()) for part in text.split("↳")]
    told = causes if len(causes) < 3 else [causes[0], *causes[-2:]]
    return masked("; ".join(filter(None, told)))[:_DETAIL_MAX]


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    text = masked(lines[0]) if lines else type(error).__name__
    return text.removeprefix("Kernel error: ").removeprefix("Generic delta kernel error: ")

"""An API server's audit log says who wrote what on which version; the transitions and the lost updates follow from it.

Events are those of audit.k8s.io/v1, one JSON object a line, as `--audit-log-path` writes them. Only completed writes
that succeeded and carry the object that came of them (level RequestResponse) tell anything; the rest is passed over. A
write is based on the version named in its request; a request that names none is blind: it overwrites whatever came
between. This module does not know how a log is read.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import attrs

from windlass.statemachine.forensics import Finding
from windlass.statemachine.journal import Entry, digest, moment

__all__ = ("AuditWrite", "is_audit_event", "losses", "transitions", "writes")

_VERBS: Final = ("create", "update", "patch")
_MANAGER: Final = re.compile(r"[?&]fieldManager=([^&]*)")
_TIMES: Final = "lastTransitionTime"


@attrs.frozen(kw_only=True)
class AuditWrite:
    """One write: its `entry` (source and target are the state before and after), and every value in the status."""

    entry: Entry
    status: Mapping[str, object]

    @property
    def created(self) -> bool:
        """Whether it made the object."""
        return self.entry.cause == "create"

    @property
    def blind(self) -> bool:
        """Whether the request named no version."""
        return not self.entry.version_before


def is_audit_event(found: Mapping[str, Any]) -> bool:
    """Whether a line of a file is one of an audit log."""
    return found.get("kind") == "Event" and str(found.get("apiVersion", "")).startswith("audit.k8s.io/")


def writes(events: Iterable[Mapping[str, Any]], *, field: str = "phase", initial: str = "") -> list[AuditWrite]:
    """The writes of all objects, each object's in the order of its versions, with the state from `.status.<field>`.

    `initial` is the state of an object whose status does not say. A write that changed nothing made no version and is
    left out.
    """
    found = [write for event in events if (write := _write(event, field, initial)) is not None]
    found.sort(key=lambda write: _rank(write.entry.version_after))
    latest: dict[tuple[str, str], Entry] = {}
    ordered = []
    for write in found:
        key = write.entry.subject, write.entry.uid
        before = latest.get(key)
        if before is not None and before.version_after == write.entry.version_after:
            continue
        # Of an object that was there before the log began, the first write tells where it is, not where it was.
        known = before.target if before is not None else write.entry.target
        source = initial if before is None and write.created else known
        latest[key] = entry = attrs.evolve(write.entry, source=source)
        ordered.append(attrs.evolve(write, entry=entry))
    return ordered


def transitions(found: Iterable[AuditWrite]) -> list[Entry]:
    """The writes that changed the state."""
    return [write.entry for write in found if write.entry.source != write.entry.target]


def losses(found: Iterable[AuditWrite]) -> tuple[Finding, ...]:
    """Updates that were undone by a blind write of another writer, which put back what had been there before them."""
    lives: dict[tuple[str, str], list[AuditWrite]] = {}
    for write in found:
        lives.setdefault((write.entry.subject, write.entry.uid), []).append(write)
    return tuple(finding for life in lives.values() for finding in _losses_in(life))


def _losses_in(life: list[AuditWrite]) -> Iterator[Finding]:
    # By field: the value before it was last changed, and the write that changed it.
    changed: dict[str, tuple[object, Entry]] = {}
    before: Mapping[str, object] = {} if life[0].created else life[0].status
    for write in life:
        differing = [name for name in {**before, **write.status} if before.get(name) != write.status.get(name)]
        lost: dict[str, list[str]] = {}
        for name in differing:
            was, other = changed.get(name, (None, None))
            undone = other is not None and other.writer != write.entry.writer and was == write.status.get(name)
            if other is not None and undone and write.blind:
                lost.setdefault(other.version_after, []).append(name)
            changed[name] = (before.get(name), write.entry)
        for other in (one.entry for one in life if one.entry.version_after in lost):
            names = ", ".join(sorted(lost[other.version_after]))
            message = (
                f"{names}: set by {other.writer} (version {other.version_after}), put back to what it was by "
                f"{write.entry.writer} (version {write.entry.version_after}), whose request named no version"
            )
            yield Finding("lost update", write.entry, message, (other.writer, write.entry.writer))
        before = write.status


def _write(event: Mapping[str, Any], field: str, initial: str) -> AuditWrite | None:
    code, verb = _at(event, "responseStatus", "code"), _text(event, "verb")
    if _text(event, "stage") != "ResponseComplete" or verb not in _VERBS:
        return None
    if not (isinstance(code, int) and 200 <= code < 300) or "dryRun=" in _text(event, "requestURI"):
        return None
    answer = event.get("responseObject")
    version, status = _text(answer, "metadata", "resourceVersion"), _at(answer, "status")
    if not version or not isinstance(event.get("objectRef"), Mapping):
        return None
    # A kind may have a status of any form. One that is no object has no state.
    status = status if isinstance(status, Mapping) else {}
    place = "/".join(filter(None, (_text(answer, "metadata", "namespace"), _text(answer, "metadata", "name"))))
    generation = status.get("observedGeneration")
    entry = Entry(
        at=moment(_text(event, "stageTimestamp") or _text(event, "requestReceivedTimestamp")),
        source=initial,
        target=str(status.get(field) or initial),
        cause=" ".join(filter(None, (verb, _text(event, "objectRef", "subresource")))),
        trace_id=_text(event, "auditID"),
        writer=_writer(event),
        version_before=_base(event.get("requestObject")) if verb != "create" else "",
        version_after=version,
        digest=digest(status),
        generation=generation if isinstance(generation, int) else 0,
        subject=f"{_text(answer, 'kind') or _text(event, 'objectRef', 'resource')} {place}",
        uid=_text(answer, "metadata", "uid"),
    )
    return AuditWrite(entry=entry, status=dict(_leaves(status, "")))


def _at(found: object, *names: str) -> object:
    """What lies there, or None: the log has everybody's objects, and they may be of any form."""
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _text(found: object, *names: str) -> str:
    value = _at(found, *names)
    return value if isinstance(value, str) else ""


def _writer(event: Mapping[str, Any]) -> str:
    """The user, and the program by its field manager or else by the first word of its user agent."""
    user = _text(event, "user", "username")
    manager = _MANAGER.search(_text(event, "requestURI"))
    program = manager.group(1) if manager else _text(event, "userAgent").partition(" ")[0]
    return f"{user} ({program})" if program else user


def _base(request: object) -> str:
    """The version that the request is conditional on: that of an object or merge patch, or of a JSON patch's test."""
    if isinstance(request, Mapping):
        return _text(request, "metadata", "resourceVersion")
    if isinstance(request, list):
        tests = [one for one in request if isinstance(one, Mapping) and one.get("op") == "test"]
        return next((str(one.get("value")) for one in tests if one.get("path") == "/metadata/resourceVersion"), "")
    return ""


def _leaves(value: object, path: str) -> Iterator[tuple[str, object]]:
    """Each value under its path; items of a list of conditions under their type, without their times."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name != _TIMES:
                yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list) and all(isinstance(one, Mapping) and "type" in one for one in value):
        for one in value:
            # A condition is one value: its reason and message belong to its status.
            yield f"{path}[{one['type']}]", tuple(sorted((k, str(v)) for k, v in one.items() if k != _TIMES))
    else:
        yield path, tuple(map(str, value)) if isinstance(value, list) else value


def _rank(version: str) -> tuple[int, str]:
    return (int(version), "") if version.isdecimal() else (0, version)

"""What a replaying server says: every list is the recorded one, and every watch gets all that came after it.

Pure: bytes for a request, or for the next event. The collection is listed as it was at the recording's version however
much was sent since, so whoever lists again, and watches from there, hears everything once more, with the first stamps.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from windlass.benchmarks.replay.recording import STAMP_DIGITS, Recording, stamp_of, stamp_place

__all__ = ("Answers",)

_INITIAL_END: Final = "k8s.io/initial-events-end"


class _Version(msgspec.Struct):
    resourceVersion: str  # noqa: N815  # the field's own name


class _Object(msgspec.Struct):
    metadata: _Version


class _Event(msgspec.Struct):
    object: _Object


_EVENT: Final = msgspec.json.Decoder(_Event)


class Answers:
    """The words of one replay. `sent` counts the events that were stamped and so belong to the past."""

    def __init__(self, recording: Recording) -> None:
        self.path = recording.path
        self.sent = 0
        self._recording = recording
        # As chunks of HTTP, cut where the stamp goes: what is left to do at each event's moment is to join them.
        self._parts: list[tuple[bytes, bytes]] = []
        self._past: list[bytes] = []
        self._places = {recording.version: 0}
        for number, event in enumerate(recording.events, 1):
            place = stamp_place(event)
            assert place is not None, "a recording is loaded with room for its stamps"
            whole = _chunk(event)
            start = whole.index(event) + place
            self._parts.append((whole[:start], whole[start + STAMP_DIGITS :]))
            self._places[_EVENT.decode(event).object.metadata.resourceVersion] = number

    def __len__(self) -> int:
        return len(self._parts)

    def stamped(self, nanoseconds: int) -> bytes:
        """The next event as a chunk, with the moment of its sending; from now on it belongs to the past."""
        before, after = self._parts[self.sent]
        stamp = stamp_of(nanoseconds)
        self._past.append(stamp)
        self.sent += 1
        return before + stamp + after

    def document(self, path: str, query: Mapping[str, str]) -> bytes | None:
        """Discovery, or the list; None for what was not recorded."""
        # Servers serve `/version/`, too, and kr8s asks for it.
        return self._list(query) if path == self.path else self._recording.documents.get(path.rstrip("/"))

    def opening(self, query: Mapping[str, str]) -> bytes:
        """The chunks with which a watch begins: the present state if it asks for that, and what it has missed.

        From a version of which the recording knows nothing there is an error of the API as the only event (410).
        """
        version = query.get("resourceVersion", "")
        initial = query.get("sendInitialEvents") == "true" or version in ("", "0")
        place = 0 if initial else self._places.get(version)
        if place is None:
            return _chunk(_error(f"too old resource version: {version}"))
        chunks = []
        if initial:
            chunks += [_chunk(b'{"type":"ADDED","object":' + item + b"}\n") for item in self._recording.items]
        if query.get("sendInitialEvents") == "true":
            chunks.append(self._bookmark(self._recording.version, {_INITIAL_END: "true"}))
        for number in range(place, self.sent):
            before, after = self._parts[number]
            chunks.append(before + self._past[number] + after)
        return b"".join(chunks)

    def closing_bookmark(self) -> bytes:
        """The version of the last event, as servers tell it to those who asked for bookmarks."""
        return self._bookmark(list(self._places)[self.sent], {})

    def _list(self, query: Mapping[str, str]) -> bytes:
        items, version = self._recording.items, self._recording.version
        start = int(query.get("continue") or 0)
        # A list of version 0 comes whole from a server's cache, whatever the limit (R1).
        limit = 0 if query.get("resourceVersion") == "0" else int(query.get("limit") or 0)
        end = start + limit if limit else len(items)
        metadata = {"continue": str(end) if end < len(items) else "", "resourceVersion": version}
        return b'{"apiVersion":%b,"items":[%b],"kind":%b,"metadata":%b}\n' % (
            msgspec.json.encode(self._recording.api_version),
            b",".join(items[start:end]),
            msgspec.json.encode(f"{self._recording.kind}List"),
            msgspec.json.encode(metadata),
        )

    def _bookmark(self, version: str, annotations: Mapping[str, str]) -> bytes:
        metadata = {"resourceVersion": version, "creationTimestamp": None, "annotations": annotations}
        told = {"kind": self._recording.kind, "apiVersion": self._recording.api_version, "metadata": metadata}
        return _chunk(msgspec.json.encode({"type": "BOOKMARK", "object": told}) + b"\n")


def _error(message: str) -> bytes:
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    return msgspec.json.encode({"type": "ERROR", "object": status | {"reason": "Expired", "code": 410}}) + b"\n"


def _chunk(line: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(line), line)

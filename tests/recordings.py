"""Recordings as small as a test wants them."""

import json

from windlass.benchmarks.replay.recording import Recording, blank

__all__ = ("FIRST", "PATH", "recorded", "widget")

PATH = "/apis/ex.dev/v1/widgets"
FIRST = 7


def widget(name, version, **spec):
    metadata = {"name": name, "namespace": "default", "resourceVersion": str(version)}
    return json.dumps({"apiVersion": "ex.dev/v1", "kind": "Widget", "metadata": metadata, "spec": spec}).encode()


def recorded(items=3, events=3):
    lines = [
        b'{"type":"MODIFIED","object":%b}\n' % widget(f"w{number}", FIRST + number, stamp=blank()).replace(b": ", b":")
        for number in range(1, events + 1)
    ]
    return Recording(
        documents={"/version": b'{"major":"1"}'},
        path=PATH,
        api_version="ex.dev/v1",
        kind="Widget",
        version=str(FIRST),
        items=[widget(f"w{number}", number) for number in range(items)],
        events=lines,
        tls=False,
    )

"""A TrainingJob as a queue sees it: the object, with nothing in it that a queue does not ask for."""

import msgspec

from windlass.informers.objects import Object


def job(name, phase="Queued", *, version=1, age=0, **spec):
    body = {
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": f"uid-{name}",
            "resourceVersion": str(version),
            "creationTimestamp": f"2026-01-01T00:00:{59 - age:02}Z",
        },
        "spec": spec,
        "status": {"phase": phase},
    }
    return Object.parse(msgspec.json.encode(body))

"""Digests the data of each ConfigMap labelled `digest=yes`, off the event loop: python offload.py."""

import hashlib

from windlass.controller import BlockingContext, Manager, Request, Result
from windlass.controller.predicates import selector
from windlass.informers import ConfigMap

ROUNDS = 20_000


def reconcile(ctx: BlockingContext, request: Request) -> Result | None:
    found = ctx.get(ConfigMap, request.key)
    if found is None or "digest" not in found.labels:
        return None
    text = "".join(f"{name}={value}\n" for name, value in sorted((found.to_dict().get("data") or {}).items()))
    digest = hashlib.pbkdf2_hmac("sha256", text.encode(), b"windlass", ROUNDS).hex()
    if ctx.over:  # the deadline has passed meanwhile: what we would write is not wanted any more
        return None
    ctx.create_or_patch(
        ConfigMap,
        request.key,
        lambda body: body["metadata"].setdefault("annotations", {}).update({"howto.windlass.dev/digest": digest}),
    )
    return Result.done()


def setup(manager: Manager) -> None:
    manager.controller(
        reconcile, for_=ConfigMap, name="digest", predicates=[selector({"digest": "yes"})], offload=True, workers=2
    )


if __name__ == "__main__":
    manager = Manager()
    setup(manager)
    manager.run()

"""A write under a fencing token is refused once anybody with a newer token has claimed the object.

The token of the last claim stands in an annotation of the object. A claim replaces an older token on the condition that
the object has not changed since it was read; a fenced write carries a JSON Patch `test` of its own token. Both are
decided by the server at the moment of the write, so it does not matter how long a process was paused before (L13).

This module does not know where tokens come from.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from windlass.controller.errors import Fenced
from windlass.controller.lease import FencingToken
from windlass.informers.api import Api
from windlass.informers.errors import Conflict, Invalid, NotFound
from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.requests import PatchType
from windlass.informers.resources import Kind

__all__ = ("ANNOTATION", "Fence")

ANNOTATION = "windlass.dev/fencing-token"

_TRIES_MAX = 5  # of a claim against concurrent writers who do not fence

_Operations = Sequence[Mapping[str, Any]]


@attrs.frozen
class Fence:
    """Reads and writes of one process under one token; `annotation` tells apart several leaders over one object.

    Guarantee: from the moment that one process has claimed an object, no write through a Fence with an older token
    changes it. Not covered: creating an object under a name that is free, and whatever writes past the Fence.
    """

    api: Api
    token: FencingToken
    annotation: str = ANNOTATION

    async def claim(self, kind: Kind, key: Key) -> Object:
        """The object as it is now, carrying this token. Raises Fenced if it carries a newer one, NotFound if gone."""
        tries = 0
        while True:
            obj = await self.api.get(kind, key)
            if not self._older(obj):
                return obj
            try:
                return await self.api.patch(kind, key, self._claiming(obj), type=PatchType.MERGE)
            except Conflict:
                tries += 1
                if tries == _TRIES_MAX:
                    raise

    async def patch(self, kind: Kind, key: Key, operations: _Operations, *, subresource: str | None = None) -> Object:
        """Apply JSON Patch operations if no newer token has claimed the object; claims it first where needed.

        Raises Fenced for a newer token, NotFound for an object that is gone, Invalid for a patch that does not fit.
        """
        await self.claim(kind, key)
        try:
            return await self.api.patch(
                kind, key, [self.test(), *operations], type=PatchType.JSON, subresource=subresource
            )
        except (Conflict, Invalid):
            self._older(await self.api.get(kind, key))  # was it the token? then that is what to say
            raise

    async def delete(self, kind: Kind, key: Key) -> bool:
        """Delete the object if no newer token has claimed it; returns False if it was gone. Raises as `patch` does."""
        try:
            claimed = await self.claim(kind, key)
            await self.api.delete(kind, key, uid=claimed.uid, resource_version=claimed.resource_version)
        except NotFound:
            return False
        return True

    def test(self) -> dict[str, Any]:
        """The JSON Patch operation that makes a patch of a claimed object fail once a newer token has claimed it."""
        path = self.annotation.replace("~", "~0").replace("/", "~1")
        return {"op": "test", "path": f"/metadata/annotations/{path}", "value": str(self.token)}

    def stamp(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The body of an object to be created, carrying this token."""
        metadata = dict(body.get("metadata") or {})
        metadata["annotations"] = {**(metadata.get("annotations") or {}), self.annotation: str(self.token)}
        return {**body, "metadata": metadata}

    def _older(self, obj: Object) -> bool:
        """Whether the object's token is older than this one, or there is none. Raises Fenced if it is newer."""
        text = obj.annotations.get(self.annotation)
        if text is None:
            return True
        try:
            found = FencingToken.parse(text)
        except ValueError:
            return True  # somebody's own words: to be replaced, on the same condition
        if found > self.token:
            raise Fenced(f"{obj.kind} {obj.key}", str(self.token), text)
        return found < self.token

    def _claiming(self, obj: Object) -> dict[str, Any]:
        return {
            "metadata": {
                "resourceVersion": obj.resource_version,
                "annotations": {self.annotation: str(self.token)},
            }
        }

"""An object is shown and stored in the version that is asked for, and a conversion changes no identity on the way.

Strategy None changes apiVersion alone, Webhook asks with a ConversionReview (K-09, K-11). The answer must hold as many
objects in the same order, of the version that was asked for, with the same kind, name, namespace and uid; of their
metadata only labels and annotations are taken over. Pure, but for `decisions.ask`.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import attrs

from windlass.envtest.apiserver.decisions import Call, Endpoint, Reply, ask
from windlass.envtest.apiserver.errors import ApiError
from windlass.envtest.apiserver.values import Json, copied, encode, json_type

__all__ = ("Conversion", "Convert", "converted")

TIMEOUT_SECONDS = 30.0
API_VERSION = "apiextensions.k8s.io/v1"


Convert: TypeAlias = Callable[[Json, str], Json]
"""An object in an apiVersion, by the server's own knowledge of a built-in kind."""


@attrs.frozen
class Conversion:
    """A conversion webhook; `api_version` is that of the review."""

    endpoint: Endpoint
    api_version: str = API_VERSION


def converted(objects: Sequence[Json], api_version: str, conversion: Conversion | Convert | None) -> list[Json]:
    """The objects in a version; those that are in it already come back as they are. Raises 500."""
    due = [obj for obj in objects if obj["apiVersion"] != api_version]
    if conversion is None or not due:
        return [obj | {"apiVersion": api_version} for obj in objects]
    if not isinstance(conversion, Conversion):
        return [conversion(obj, api_version) for obj in objects]
    request = {"desiredAPIVersion": api_version, "objects": due}
    review = {"kind": "ConversionReview", "apiVersion": conversion.api_version, "request": request}
    reply = ask([Call(conversion.endpoint, encode(review), TIMEOUT_SECONDS)])[0]
    answers = iter(_accepted(reply, conversion, due, wanted=api_version))
    return [obj if obj["apiVersion"] == api_version else next(answers) for obj in objects]


def _accepted(reply: Reply, conversion: Conversion, due: list[Json], *, wanted: str) -> list[Json]:
    about = f"conversion webhook for {due[0]['apiVersion']}, Kind={due[0]['kind']}"
    problem = reply.failure or _response_problem(reply, conversion)
    if problem:
        raise ApiError(500, "", f"{about} failed: {problem}")
    objects = reply.document["response"].get("convertedObjects")
    objects = objects if isinstance(objects, list) else []
    if len(objects) != len(due):
        raise ApiError(500, "", f"{about} returned {len(objects)} objects, expected {len(due)}")
    for index, (new, old) in enumerate(zip(objects, due, strict=True)):
        place = f" at index {index}" if _misnamed(new, old, wanted) else ""
        problem = _misnamed(new, old, wanted) or _changed(new, old)
        if problem:
            raise ApiError(500, "", f"{about} returned invalid object{place}: {problem}")
    return [_with_metadata(new, old) for new, old in zip(objects, due, strict=True)]


def _response_problem(reply: Reply, conversion: Conversion) -> str:
    document: Any = reply.document
    if not isinstance(document, dict):
        return f"couldn't get version/kind; json parse error: a review is an object, got {json_type(document)}"
    found = (document.get("apiVersion"), document.get("kind"))
    if found != (conversion.api_version, "ConversionReview"):
        return (
            f"expected webhook response of {conversion.api_version}, Kind=ConversionReview, "
            f"got {found[0]}, Kind={found[1]}"
        )
    response = document.get("response")
    if not isinstance(response, dict):
        return "no response provided"
    if response.get("uid") != reply.uid:
        return f'expected response.uid="{reply.uid}", got "{response.get("uid") or ""}"'
    result = response.get("result")
    result = result if isinstance(result, dict) else {}
    if result.get("status") == "Success":
        return ""
    status = result.get("status") or ""
    return str(result.get("message") or f"response.result.status was '{status}', not 'Success'")


def _misnamed(new: Any, old: Json, wanted: str) -> str:
    if not isinstance(new, dict):
        return f"expected an object, received {json_type(new)}"
    if new.get("apiVersion") != wanted:
        return f"invalid groupVersion (expected {wanted}, received {new.get('apiVersion')})"
    if new.get("kind") != old["kind"]:
        return f"invalid kind (expected {old['kind']}, received {new.get('kind')})"
    return ""


def _changed(new: Json, old: Json) -> str:
    metadata = new.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    for field in ("name", "namespace", "uid"):
        if (metadata.get(field) or "") != (old["metadata"].get(field) or ""):
            found, before = metadata.get(field) or "", old["metadata"].get(field) or ""
            return f"must have the same {field}: {before} != {found}"
    for field in ("labels", "annotations"):
        part = metadata.get(field)
        if part is not None and not (isinstance(part, dict) and all(isinstance(one, str) for one in part.values())):
            return f"invalid metadata.{field}: must be an object of strings"
    return ""


def _with_metadata(new: Json, old: Json) -> Json:
    """The converted object with the metadata of the original, but for labels and annotations."""
    metadata = {name: part for name, part in old["metadata"].items() if name not in ("labels", "annotations")}
    for field in ("labels", "annotations"):
        if new["metadata"].get(field):
            metadata[field] = new["metadata"][field]
    ordered: Json = {"apiVersion": new["apiVersion"], "kind": new["kind"], "metadata": metadata}
    result: Json = copied(ordered | {name: part for name, part in new.items() if name not in ordered})
    return result

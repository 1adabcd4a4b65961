"""A ConversionReview is answered with every object in the version asked for, or with one failure that says why (R-09).

Objects come back in the order they came in, with the same metadata but for labels and annotations that a function may
change; the API server refuses anything else. This module is pure: it does not know HTTP.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from windlass.informers.errors import StructureError
from windlass.manifests.errors import BadReview
from windlass.manifests.kinds import info_of
from windlass.manifests.versions import Versions

__all__ = ("API_VERSION", "answer")

_Kinds: TypeAlias = Mapping[tuple[str, str], Versions[Any]]

API_VERSION: Final = "apiextensions.k8s.io/v1"


def answer(review: object, served: Iterable[Versions[Any]]) -> dict[str, Any]:
    """Return the ConversionReview that answers ``review``, whose objects are of one of the kinds served.

    An object that cannot be converted makes the whole answer a failure, with its name and the reason. Raises
    ``BadReview`` for what is no ConversionReview that could be answered at all.
    """
    request = _request(review)
    uid, wanted = str(request["uid"]), str(request["desiredAPIVersion"])
    kinds = {(info_of(each.stored).resource.group, info_of(each.stored).resource.kind): each for each in served}
    converted: list[dict[str, Any]] = []
    for body in request["objects"]:
        problem = _convert(body, wanted, kinds, converted)
        if problem is not None:
            return _review(uid, {"result": {"status": "Failure", "message": problem}})
    return _review(uid, {"result": {"status": "Success"}, "convertedObjects": converted})


def _convert(
    body: Mapping[str, Any],
    wanted: str,
    kinds: Mapping[tuple[str, str], Versions[Any]],
    converted: list[dict[str, Any]],
) -> str | None:
    group = str(body.get("apiVersion", "")).partition("/")[0]
    versions = kinds.get((group, str(body.get("kind", ""))))
    subject = _subject(body)
    if versions is None:
        return f"{subject}: no kind {body.get('kind')} of the group {group or repr('')} is converted here"
    try:
        converted.append(versions.convert_object(body, wanted))
    except StructureError as error:
        return str(error)
    except KeyError as error:
        return f"{subject}: {error.args[0]}"
    except Exception as error:  # a function of the user's: its failure is the answer, not ours
        return f"{subject} to {wanted}: {type(error).__name__}: {error}"
    return None


def _subject(body: Mapping[str, Any]) -> str:
    metadata = body.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    namespace = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{body.get('apiVersion')} {body.get('kind')} {namespace}{metadata.get('name', '?')}"


def _request(review: object) -> Mapping[str, Any]:
    if not isinstance(review, Mapping) or review.get("kind") != "ConversionReview":
        raise BadReview("kind", found=review.get("kind") if isinstance(review, Mapping) else review)
    if review.get("apiVersion") != API_VERSION:
        raise BadReview("apiVersion", found=review.get("apiVersion"))
    request = review.get("request")
    if not isinstance(request, Mapping):
        raise BadReview("request", found=request)
    for name in ("uid", "desiredAPIVersion"):
        if not isinstance(request.get(name), str):
            raise BadReview(f"request.{name}", found=request.get(name))
    objects = request.get("objects")
    if not isinstance(objects, list) or not all(isinstance(each, Mapping) for each in objects):
        raise BadReview("request.objects", found=objects)
    return request


def _review(uid: str, response: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": "ConversionReview", "response": {"uid": uid, **response}}

"""An AdmissionReview tells a webhook all that it may know of a write, and only an answer to that very question counts.

The question, the faults of an answer and the refusal that a denial becomes, in the words, codes and reasons of
Kubernetes. Pure, but for `decisions`, which knows who asks.
"""

import base64
import binascii
from collections.abc import Iterator
from typing import Any

import msgspec

from windlass.envtest.apiserver.decisions import Call, Reply, asker
from windlass.envtest.apiserver.errors import ApiError, internal_error
from windlass.envtest.apiserver.extension.conversion import converted
from windlass.envtest.apiserver.extension.webhooks import Hook, Write
from windlass.envtest.apiserver.identity import ADMINISTRATOR
from windlass.envtest.apiserver.kinds import Resource
from windlass.envtest.apiserver.values import Json, decode, encode, json_type

__all__ = ("call_of", "judged", "patch_of", "shown")

_INVALID = "received invalid webhook response: "


def shown(obj: Json | None, write: Write, resource: Resource) -> Json | None:
    """An object in the version that a webhook asked for."""
    if obj is None or resource.api_version == write.resource.api_version or write.subresource == "scale":
        return obj
    return converted([obj], resource.api_version, resource.conversion)[0]


def call_of(hook: Hook, write: Write, resource: Resource, turn: int = 0) -> Call:
    """The question to a webhook, which hears of the write under the version `resource`."""
    enquiry, asked = asker(), write.resource
    kind, requested = (
        ("autoscaling", "v1", "Scale") if write.subresource == "scale" else (one.group, one.version, one.kind)
        for one in (resource, asked)
    )
    names = ("group", "version", "kind")
    request: Json = {
        "kind": dict(zip(names, kind, strict=True)),
        "resource": {"group": resource.group, "version": resource.version, "resource": resource.plural},
        "subResource": write.subresource,
        "requestKind": dict(zip(names, requested, strict=True)),
        "requestResource": {"group": asked.group, "version": asked.version, "resource": asked.plural},
        "requestSubResource": write.subresource,
        "name": write.name,
        "namespace": write.namespace,
    }
    request = {field: value for field, value in request.items() if value} | {
        "operation": write.operation,
        "userInfo": enquiry.user if enquiry is not None else ADMINISTRATOR.info(),
        "object": shown(write.obj, write, resource),
        "oldObject": shown(write.old, write, resource),
        "dryRun": write.dry_run,
        "options": write.options,
    }
    review = {"kind": "AdmissionReview", "apiVersion": f"admission.k8s.io/{hook.review_version}", "request": request}
    return Call(hook.endpoint, encode(review), hook.timeout, turn)


def judged(hook: Hook, reply: Reply, *, mutating: bool = False) -> Json:
    """The response of a webhook that allows; an empty one where its failure is ignored. Raises its denial."""
    failure = f"failed to call webhook: {reply.failure}" if reply.failure else ""
    failure = failure or next(_response_faults(hook, reply, mutating=mutating), "")
    if failure:
        if hook.ignores_failure:
            return {}
        raise internal_error(f'failed calling webhook "{hook.name}": {failure}')
    response: Json = reply.document["response"]
    enquiry, warnings = asker(), response.get("warnings")
    if enquiry is not None and isinstance(warnings, list):
        enquiry.warnings.update(dict.fromkeys(str(text) for text in warnings))
    if response.get("allowed") is True:
        return response
    raise _denial(hook.name, response.get("status"))


def _response_faults(hook: Hook, reply: Reply, *, mutating: bool) -> Iterator[str]:
    review: Any = reply.document
    if not isinstance(review, dict):
        yield f"failed to call webhook: couldn't get version/kind; json parse error: got {json_type(review)}"
        return
    response = review.get("response")
    if not isinstance(response, dict):
        yield f"{_INVALID}webhook response was absent"
        return
    patch, patch_type = response.get("patch"), response.get("patchType")
    if not isinstance(patch, str | None) or not isinstance(patch_type, str | None):
        yield "failed to call webhook: json: response.patch and response.patchType must be strings"
    if hook.review_version == "v1":
        yield from _identity_faults(review, response, reply.uid)
        yield from _patch_faults(patch, patch_type, mutating=mutating)
    if patch and patch_type not in (None, "JSONPatch"):
        yield f'unsupported patch type "{patch_type}"'


def _identity_faults(review: Json, response: Json, uid: str) -> Iterator[str]:
    if response.get("uid") != uid:
        yield f'{_INVALID}expected response.uid="{uid}", got "{response.get("uid") or ""}"'
    found = (review.get("apiVersion"), review.get("kind"))
    if found != ("admission.k8s.io/v1", "AdmissionReview"):
        wanted = "admission.k8s.io/v1, Kind=AdmissionReview"
        yield f"{_INVALID}expected webhook response of {wanted}, got {found[0]}, Kind={found[1]}"


def _patch_faults(patch: Any, patch_type: Any, *, mutating: bool) -> Iterator[str]:
    if not mutating and patch:
        yield f"{_INVALID}validating webhook may not return response.patch"
    if not mutating and patch_type is not None:
        yield f"{_INVALID}validating webhook may not return response.patchType"
    if patch and patch_type is None:
        yield f"{_INVALID}webhook returned response.patch but not response.patchType"
    if not patch and patch_type is not None:
        yield f"{_INVALID}webhook returned response.patchType but not response.patch"


def patch_of(response: Json) -> list[Any]:
    """The operations of a response; raises 500 for what is no JSON patch."""
    if not response.get("patch"):
        return []
    try:
        found = decode(base64.b64decode(response["patch"], validate=True))
    except (binascii.Error, msgspec.MsgspecError, ValueError) as error:
        raise internal_error(f"invalid JSON patch: {error}") from None
    if not isinstance(found, list):
        raise internal_error("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    return found


def _denial(name: str, status: Any) -> ApiError:
    """The refusal, with code, reason and details as the webhook gave them."""
    found = status if isinstance(status, dict) else {}
    text, reason = str(found.get("message") or ""), str(found.get("reason") or "")
    code = found.get("code")
    code = code if isinstance(code, int) and not isinstance(code, bool) and 400 <= code <= 999 else 400
    head = f'admission webhook "{name}" denied the request'
    message = f"{head}: {text or reason}" if text or reason else f"{head} without explanation"
    details = found.get("details")
    return ApiError(code, reason, message, details=details if isinstance(details, dict) else None)

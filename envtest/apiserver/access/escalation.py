"""Nobody may hand out what they do not hold, neither by writing a role nor by binding one.

Exempt are users that may `escalate` the role or `bind` it, and the all-powerful. Asked at every write of a role or a
binding, and for what a write needs beside its own verb: an apply or an update that creates needs `create`, too.
"""

import attrs

from windlass.envtest.apiserver.access.attributes import Attributes
from windlass.envtest.apiserver.access.authorization import RBAC_GROUP, Authorizer, role_key
from windlass.envtest.apiserver.access.rbac import Rule, quoted, rules_of, uncovered
from windlass.envtest.apiserver.errors import forbidden, not_found
from windlass.envtest.apiserver.identity import User
from windlass.envtest.apiserver.kinds import Resource
from windlass.envtest.apiserver.values import Json, same

__all__ = ("Escalation",)

_EVERYTHING = (Rule(("*",), ("*",), ("*",)), Rule(("*",), urls=("*",)))
_COLLECTED = ("ownerReferences", "finalizers", "managedFields", "resourceVersion", "generation")


@attrs.frozen
class Escalation:
    """The checks that a write's content calls for."""

    _authorizer: Authorizer

    def check_create(self, user: User, resource: Resource, *, namespace: str, name: str) -> None:
        """Raise 403 unless the user may create what an update or an apply did not find."""
        wanted = Attributes("create", "", resource.group, resource.plural, namespace=namespace, name=name)
        self._authorizer.require(user, wanted)

    def check_write(self, user: User, resource: Resource, obj: Json, old: Json | None) -> None:
        """Raise 403 if a role or binding gives away what the user does not hold, 404 if it binds what is not there."""
        if resource.group != RBAC_GROUP or self._authorizer.all_powerful(user) or _collector_only(obj, old):
            return
        if resource.plural in ("roles", "clusterroles"):
            self._check_role(user, resource, obj)
        else:
            self._check_binding(user, resource, obj)

    def _check_role(self, user: User, resource: Resource, obj: Json) -> None:
        metadata = obj["metadata"]
        namespace, name = metadata.get("namespace") or "", metadata.get("name") or ""
        wanted = Attributes("escalate", "", RBAC_GROUP, resource.plural, namespace=namespace, name=name)
        if self._authorizer.decide(user, wanted).allowed:
            return
        if obj.get("aggregationRule") and uncovered(self._held(user, namespace), _EVERYTHING):
            message = "must have cluster-admin privileges to use the aggregationRule"
            raise forbidden(resource.qualified, name, message)
        self._check_held(user, resource, obj, rules_of(obj))

    def _check_binding(self, user: User, resource: Resource, obj: Json) -> None:
        metadata, reference = obj["metadata"], obj.get("roleRef") or {}
        namespace = metadata.get("namespace") or ""
        key = role_key(reference, namespace)
        plural = key.resource.partition(".")[0]
        wanted = Attributes("bind", "", RBAC_GROUP, plural, namespace=namespace, name=key.name)
        if self._authorizer.decide(user, wanted).allowed:
            return
        rules = self._authorizer.rules_behind(reference, namespace)
        if rules is None:
            raise not_found(key.resource, key.name)
        self._check_held(user, resource, obj, rules)

    def _check_held(self, user: User, resource: Resource, obj: Json, rules: list[Rule]) -> None:
        metadata = obj["metadata"]
        missing = uncovered(self._held(user, metadata.get("namespace") or ""), rules)
        if missing:
            listed = "\n".join(str(rule) for rule in missing)
            message = (
                f'user "{user.name}" (groups=[{quoted(user.groups)}]) is attempting to grant RBAC permissions '
                f"not currently held:\n{listed}"
            )
            raise forbidden(resource.qualified, metadata.get("name") or "", message)

    def _held(self, user: User, namespace: str) -> list[Rule]:
        return [rule for rule, _ in self._authorizer.holding(user, namespace).rules]


def _collector_only(obj: Json, old: Json | None) -> bool:
    """Whether only that changes what lets an object be deleted."""
    return old is not None and same(_without_collected(obj), _without_collected(old))


def _without_collected(obj: Json) -> Json:
    metadata = {field: value for field, value in obj["metadata"].items() if field not in _COLLECTED}
    return obj | {"metadata": metadata}

"""Whether a user may do something is decided by the bindings and roles in the store, as they are at this moment.

The group system:masters may do everything before any role is looked at. Role bindings count in their own namespace
only, also where they name a ClusterRole. The rules that a user holds in a namespace are remembered until a role or a
binding changes.
"""

from collections.abc import Iterator
from typing import NoReturn

import attrs

from windlass.envtest.apiserver.access.attributes import Attributes
from windlass.envtest.apiserver.access.rbac import Rule, rules_of
from windlass.envtest.apiserver.errors import ApiError, forbidden
from windlass.envtest.apiserver.identity import User, account_of
from windlass.envtest.apiserver.store.storage import Change, Key, Store
from windlass.envtest.apiserver.values import Json

__all__ = ("RBAC_GROUP", "Authorizer", "Decision", "Holding", "role_key")

RBAC_GROUP = "rbac.authorization.k8s.io"
CLUSTER_BINDINGS, BINDINGS = f"clusterrolebindings.{RBAC_GROUP}", f"rolebindings.{RBAC_GROUP}"
REMEMBERED_MAX = 1_000  # users and namespaces


@attrs.frozen
class Decision:
    """The answer and what it comes from; a refusal has a reason only where a binding names a role that is not there."""

    allowed: bool
    reason: str = ""


@attrs.frozen
class Holding:
    """What a user holds in a namespace: rules, each with the binding that gives it, and what is wrong with bindings."""

    rules: tuple[tuple[Rule, str], ...]
    problems: tuple[str, ...] = ()


class Authorizer:
    """Answers from the store; `enabled` False allows everything to everybody."""

    def __init__(self, store: Store, *, enabled: bool = True) -> None:
        self._store = store
        self._enabled = enabled
        self._remembered: dict[tuple[User, str], Holding] = {}

    def __repr__(self) -> str:
        return f"<Authorizer {'RBAC' if self._enabled else 'off'}>"

    def observe(self, change: Change) -> None:
        """Listen to the store."""
        if change.current.key.resource.endswith(RBAC_GROUP):
            self._remembered.clear()

    def all_powerful(self, user: User) -> bool:
        """Whether nothing is forbidden to a user, whatever the roles say."""
        return not self._enabled or user.privileged

    def decide(self, user: User, wanted: Attributes) -> Decision:
        """A-04."""
        if self.all_powerful(user):
            return Decision(True)
        holding = self.holding(user, wanted.namespace)
        for rule, giver in holding.rules:
            if rule.permits(wanted):
                return Decision(True, f"RBAC: allowed by {giver}")
        problems = ", ".join(holding.problems)
        if len(holding.problems) > 1:
            problems = f"[{problems}]"
        return Decision(False, f"RBAC: {problems}" if problems else "")

    def require(self, user: User, wanted: Attributes) -> None:
        """Raise the 403 that says what was not allowed (E-09)."""
        decision = self.decide(user, wanted)
        if not decision.allowed:
            _refuse(user, wanted, decision.reason)

    def holding(self, user: User, namespace: str) -> Holding:
        """All rules that a user holds in a namespace; in none: across the cluster."""
        place = (user, namespace)
        found = self._remembered.get(place)
        if found is None:
            if len(self._remembered) >= REMEMBERED_MAX:
                self._remembered.clear()
            found = self._remembered[place] = self._held(user, namespace)
        return found

    def rules_behind(self, reference: Json, namespace: str) -> list[Rule] | None:
        """The rules of the role that a binding names; None if there is no such role."""
        role = self._store.get(role_key(reference, namespace))
        return rules_of(role.obj) if role is not None else None

    def _held(self, user: User, namespace: str) -> Holding:
        rules: list[tuple[Rule, str]] = []
        problems: list[str] = []
        for binding, giver in self._bindings(user, namespace):
            reference = binding.get("roleRef") or {}
            found = self.rules_behind(reference, namespace)
            if found is None:
                kind, name = str(reference.get("kind")), reference.get("name")
                problems.append(f'{kind.lower()}.{RBAC_GROUP} "{name}" not found')
            rules += [(rule, giver) for rule in found or ()]
        return Holding(tuple(rules), tuple(problems))

    def _bindings(self, user: User, namespace: str) -> Iterator[tuple[Json, str]]:
        """The bindings that name a user or one of its groups, each with a description of how."""
        stored = self._store.items(CLUSTER_BINDINGS)
        if namespace:
            stored += self._store.items(BINDINGS, namespace)
        for one in stored:
            subject = next((each for each in one.obj.get("subjects") or () if _is(user, each, one.key.namespace)), None)
            if subject is not None:
                reference, place = one.obj.get("roleRef") or {}, one.key.name
                place += f"/{one.key.namespace}" if one.key.namespace else ""
                role = f'{reference.get("kind")} "{reference.get("name")}"'
                yield one.obj, f'{one.obj["kind"]} "{place}" of {role} to {_described(subject, one.key.namespace)}'


def role_key(reference: Json, namespace: str) -> Key:
    """Where the role that a `roleRef` names is stored."""
    name = str(reference.get("name") or "")
    if reference.get("kind") == "Role":
        return Key(f"roles.{RBAC_GROUP}", namespace, name)
    return Key(f"clusterroles.{RBAC_GROUP}", "", name)


def _is(user: User, subject: Json, namespace: str) -> bool:
    match subject.get("kind"):
        case "User":
            return bool(user.name == subject.get("name"))
        case "Group":
            return subject.get("name") in user.groups
        case "ServiceAccount":
            place = subject.get("namespace") or namespace
            return bool(place) and account_of(user.name) == (place, subject.get("name"))
    return False


def _described(subject: Json, namespace: str) -> str:
    name = subject.get("name")
    if subject.get("kind") == "ServiceAccount":
        name = f"{name}/{subject.get('namespace') or namespace}"
    return f'{subject.get("kind")} "{name}"'


def _refuse(user: User, wanted: Attributes, reason: str) -> NoReturn:
    suffix = f": {reason}" if reason else ""
    if wanted.path:
        message = f'forbidden: User "{user.name}" cannot {wanted.verb} path "{wanted.path}"{suffix}'
        raise ApiError(403, "Forbidden", message, details={})
    place = f'in the namespace "{wanted.namespace}"' if wanted.namespace else "at the cluster scope"
    what = f'resource "{wanted.combined}" in API group "{wanted.group}" {place}'
    raise forbidden(wanted.qualified, wanted.name, f'User "{user.name}" cannot {wanted.verb} {what}{suffix}')

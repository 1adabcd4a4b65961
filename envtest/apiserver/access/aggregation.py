"""A ClusterRole with an aggregationRule holds the rules of those that its selectors find, none of its own. Pure."""

from collections.abc import Iterable

from windlass.envtest.apiserver.values import Json, same

__all__ = ("CLUSTER_ROLES", "aggregated", "aggregates")

CLUSTER_ROLES = "clusterroles.rbac.authorization.k8s.io"


def aggregates(role: Json) -> bool:
    """Whether a role is made of others."""
    return bool(role.get("aggregationRule"))


def aggregated(role: Json, roles: Iterable[Json]) -> list[Json]:
    """The rules that a role should have, each once, in the order of the names of the roles that they come from."""
    found: list[Json] = []
    listed = sorted(roles, key=lambda other: str(other["metadata"]["name"]))
    for selector in role["aggregationRule"].get("clusterRoleSelectors") or ():
        for other in listed:
            if other["metadata"]["name"] == role["metadata"]["name"] or not _selects(selector, other):
                continue
            for rule in other.get("rules") or ():
                if not any(same(rule, one) for one in found):
                    found.append(rule)
    return found


def _selects(selector: Json, role: Json) -> bool:
    labels = role["metadata"].get("labels") or {}
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_holds(clause, labels) for clause in selector.get("matchExpressions") or ())


def _holds(clause: Json, labels: dict[str, str]) -> bool:
    key, values = clause.get("key"), clause.get("values") or ()
    found = labels.get(str(key))
    match clause.get("operator"):
        case "In":
            return found in values
        case "NotIn":
            return found not in values
        case "Exists":
            return found is not None
        case "DoesNotExist":
            return found is None
    return False

"""Accounts that may do what a manager's controllers declare, and nothing else: a server with RBAC refuses the rest."""

import copy

import msgspec

from windlass.controller.permissions import permissions_of
from windlass.informers import Resource, ServiceAccount
from windlass.informers.requests import Request
from windlass.manifests.deployment import Program, account, role_documents

__all__ = ("ROLES", "restricted", "token_of")

ROLES = {
    kind: Resource(
        "rbac.authorization.k8s.io", "v1", kind, f"{kind.lower()}s", namespaced=not kind.startswith("Cluster")
    )
    for kind in ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
}


async def restricted(api, kubeconfig, manager, namespace):
    """The kubeconfig with the token of a new account in place of its user's credentials."""
    found = permissions_of(manager)
    program = Program(f"least-{namespace}", namespace, image="", version="", everywhere=found.everywhere)
    await api.create(ServiceAccount, account(program))
    documents = role_documents(program, found.everywhere, cluster=True)
    if found.at_home:
        documents += role_documents(program, found.at_home, cluster=False)
    for document in documents:
        await api.create(ROLES[document["kind"]], document)
    config = copy.deepcopy(kubeconfig)
    for user in config["users"]:
        user["user"] = {"token": await token_of(api, program.namespace, program.name)}
    return config


async def token_of(api, namespace, name, *, audiences=()):
    """A new token of the account, for the API server or for these audiences."""
    path = ServiceAccount.path(namespace, name, "token")
    spec = {"audiences": list(audiences)} if audiences else {}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    answer = await api.client.send(Request("POST", path, body=msgspec.json.encode(body), what="create token"))
    return msgspec.json.decode(answer.body)["status"]["token"]

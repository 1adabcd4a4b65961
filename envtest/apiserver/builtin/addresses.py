"""A Service has an address of its own, and a port of every node where its type asks for one. Pure."""

import random
from collections.abc import Iterable
from typing import Any

from windlass.envtest.apiserver.values import Json

__all__ = ("assign_addresses",)

_NETWORK = "10.96"
_NODE_PORTS = range(30_000, 32_768)
_ADDRESSED = ("ClusterIP", "NodePort", "LoadBalancer")


def assign_addresses(service: Json, old: Json | None, others: Iterable[Json], rng: random.Random) -> None:
    """Give a service what it has no address or port for; `others` are all services. Changes `service`."""
    spec, before = _map(service.get("spec")), _map((old or {}).get("spec"))
    if spec.get("type") not in _ADDRESSED:
        return
    taken = [_map(one.get("spec")) for one in others]
    if not spec.get("clusterIP"):
        spec["clusterIP"] = before.get("clusterIP") or _free_address(taken, rng)
    if not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    if spec["type"] == "ClusterIP":
        return
    known = {(port.get("protocol"), port.get("port")): port.get("nodePort") for port in _ports(before)}
    used = {port.get("nodePort") for one in taken for port in _ports(one)}
    for port in _ports(spec):
        if not port.get("nodePort"):
            kept = known.get((port.get("protocol"), port.get("port")))
            port["nodePort"] = kept or rng.choice([number for number in _NODE_PORTS if number not in used])
            used.add(port["nodePort"])


def _free_address(taken: Iterable[Json], rng: random.Random) -> str:
    used = {one.get("clusterIP") for one in taken}
    while True:
        address = f"{_NETWORK}.{rng.randrange(256)}.{rng.randrange(1, 255)}"
        if address not in used:
            return address


def _map(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _ports(spec: Json) -> list[Json]:
    ports = spec.get("ports")
    return [port for port in ports if isinstance(port, dict)] if isinstance(ports, list) else []

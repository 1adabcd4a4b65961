"""The stock is read when it is asked for, kept while nothing changes, and wakes those who wait."""

import json

from hardware_world import node, pod

from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.store import Added, Deleted, Updated
from windlass.operators.training.hardware.inventory import matters, take_stock
from windlass.operators.training.hardware.machines import usage_of

KEY = Key("default", "job")


def raw(body, kind):
    return json.dumps({"apiVersion": "v1", "kind": kind, **body}).encode()


def device_slice(name, *devices, driver="gpu.nvidia.com"):
    spec = {"driver": driver, "nodeName": name, "pool": {"name": name}, "devices": [{"name": one} for one in devices]}
    return json.dumps({"metadata": {"name": "s"}, "spec": spec}).encode()


def claim(name, *devices, driver="gpu.nvidia.com"):
    results = [{"request": "r", "driver": driver, "pool": name, "device": one} for one in devices]
    return json.dumps({"status": {"allocation": {"devices": {"results": results}}}}).encode()


def test_devices_of_drivers_are_counted_by_node_and_those_that_claims_hold_are_taken():
    slices = [device_slice("a", "0", "1", "2"), device_slice("b", "0"), device_slice("a", "x", driver="gpu.amd.com")]
    claims = [claim("a", "0", "1"), claim("a", "1"), claim("elsewhere", "7"), b'{"metadata": {}}', b'{"status": {}}']

    stock = take_stock([raw(node("a"), "Node"), raw(node("b"), "Node")], [], slices, claims)

    rooms = {one.name: {name: n for name, n in one.room.items() if name.startswith("gpu.")} for one in stock.machines}
    assert rooms == {"a": {"gpu.nvidia.com": 3, "gpu.amd.com": 1}, "b": {"gpu.nvidia.com": 1}}
    assert usage_of(stock.loads) == {"a": {"gpu.nvidia.com": 2}}


def test_a_slice_that_belongs_to_no_single_node_is_not_counted():
    shared = json.dumps({"spec": {"driver": "d", "pool": {"name": "p"}, "allNodes": True, "devices": [{"name": "0"}]}})

    stock = take_stock([raw(node("a"), "Node")], [], [shared.encode()])

    assert "d" not in stock.machines[0].room


def change(before, after, kind):
    return Updated(Object.parse(raw(before, kind)), Object.parse(raw(after, kind)))


def test_a_heartbeat_does_not_matter_but_a_taint_does():
    beat = node("a")
    beat["status"]["conditions"][0]["lastHeartbeatTime"] = "2026-01-01T00:00:00Z"

    assert not matters(change(node("a"), beat, "Node"))
    assert matters(change(node("a"), node("a", taints=[{"key": "x", "effect": "NoSchedule"}]), "Node"))
    assert matters(change(node("a"), node("a", ready="Unknown"), "Node"))
    assert matters(Added(Object.parse(raw(node("a"), "Node"))))
    assert matters(Deleted(Object.parse(raw(node("a"), "Node"))))


def test_a_pod_that_starts_does_not_matter_but_one_that_ends_does():
    assert not matters(change(pod("a", {"cpu": "1"}, phase="Pending"), pod("a", {"cpu": "1"}), "Pod"))
    assert matters(change(pod("a", {"cpu": "1"}), pod("a", {"cpu": "1"}, phase="Succeeded"), "Pod"))
    assert matters(change(pod(None, {"cpu": "1"}), pod("a", {"cpu": "1"}), "Pod"))

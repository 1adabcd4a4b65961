import datetime as dt
import random

from windlass.envtest.apiserver.collector.definitions import Definitions
from windlass.envtest.apiserver.kinds import Registry
from windlass.envtest.apiserver.schema.crds import CRD
from windlass.envtest.apiserver.store.storage import Key, Store
from windlass.envtest.apiserver.store.watchcache import WatchCache
from windlass.envtest.apiserver.verbs.operations import Operations


def definition(plural="widgets", kind="Widget", served=True):
    version = {
        "name": "v1",
        "served": served,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "string", "default": "x"}}}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.ex.dev", "uid": plural},
        "spec": {
            "group": "ex.dev",
            "scope": "Cluster",
            "names": {"plural": plural, "kind": kind},
            "versions": [version],
        },
    }


def key(plural="widgets"):
    return Key(CRD, "", f"{plural}.ex.dev")


def parts(store):
    cache = WatchCache(store.oldest)
    clock = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    operations = Operations(store, Registry(), clock=lambda: clock, rng=random.Random(1))
    definitions = Definitions(operations, cache)
    store.listeners += [cache.record, definitions.observe]
    return definitions, operations.registry, cache


def conditions(store, plural="widgets"):
    return {item["type"]: item["status"] for item in store.get(key(plural)).obj["status"]["conditions"]}


def test_a_kind_is_served_as_soon_as_its_definition_is_written_and_no_longer_than_it_exists():
    store = Store()
    _, registry, _ = parts(store)
    store.put(key(), definition())
    assert conditions(store) == {"NamesAccepted": "True", "Established": "True"}
    assert not registry.find("ex.dev", "v1", "widgets").namespaced
    store.put(key(), store.get(key()).obj | {"spec": definition(served=False)["spec"]})
    assert registry.find("ex.dev", "v1", "widgets") is None
    store.put(key(), store.get(key()).obj | {"spec": definition()["spec"]})
    assert registry.any_version("widgets.ex.dev")
    store.remove(key())
    assert registry.find("ex.dev", "v1", "widgets") is None


def test_a_definition_whose_status_a_kill_prevented_is_finished_at_the_next_start():
    store = Store()
    store.put(key(), definition())
    definitions, registry, _ = parts(store)
    assert registry.find("ex.dev", "v1", "widgets") is None
    definitions.resume()
    assert conditions(store)["Established"] == "True"
    assert registry.find("ex.dev", "v1", "widgets")
    revision = store.revision
    definitions.resume()
    assert store.revision == revision


def test_names_that_are_taken_are_not_accepted():
    store = Store()
    _, registry, _ = parts(store)
    store.put(key(), definition())
    store.put(key("gadgets"), definition("gadgets", "Widget"))
    assert conditions(store, "gadgets") == {"NamesAccepted": "False", "Established": "False"}
    assert registry.find("ex.dev", "v1", "gadgets") is None


def test_watches_end_when_the_definition_changes_but_not_when_its_status_does():
    store = Store()
    _, _, cache = parts(store)
    store.put(key(), definition())
    subscription = cache.subscribe("widgets.ex.dev", lambda: None, lambda: None)
    obj = store.get(key()).obj
    store.put(key(), obj | {"status": obj["status"] | {"note": "x"}})
    assert not subscription.ended
    store.put(key(), obj | {"spec": definition(served=False)["spec"]})
    assert subscription.ended

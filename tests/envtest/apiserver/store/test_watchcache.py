import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.envtest.apiserver.errors import ApiError
from windlass.envtest.apiserver.store.storage import ADDED, DELETED, MODIFIED, Key, Store
from windlass.envtest.apiserver.store.watchcache import WatchCache, rewind, seen


def thing(name, value=0):
    return {"apiVersion": "v1", "kind": "T", "metadata": {"name": name}, "value": value}


def key(name):
    return Key("things", "ns", name)


def recorded(**limits):
    store = Store()
    cache = WatchCache(store.oldest, **limits)
    changes = []
    store.listeners += [cache.record, changes.append]
    return store, cache, changes


WRITES = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=20)


def write(store, name, value):
    if value == 0 and store.get(key(name)) is not None:
        store.remove(key(name))
    else:
        store.put(key(name), thing(name, value))


@given(WRITES, st.integers(0, 20))
def test_undoing_the_newer_history_gives_the_past(writes, at):
    store, cache, _ = recorded()
    past, revision = [], store.revision
    for index, (name, value) in enumerate(writes):
        if index == at:
            past, revision = store.items("things"), store.revision
        write(store, name, value)
    if at >= len(writes):
        past, revision = store.items("things"), store.revision
    assert list(rewind(store.items("things"), cache.since("things", revision))) == past


@given(WRITES, st.sampled_from([0, 1, 2]))
def test_a_watcher_with_a_selector_that_replays_the_changes_ends_with_what_is_selected(writes, least):
    store, _, changes = recorded()
    for name, value in writes:
        write(store, name, value)

    def selects(stored):
        return stored.obj["value"] > least

    view = {}
    for change in changes:
        visible = seen(change, selects)
        if visible is None:
            continue
        kind, stored = visible
        assert stored.revision == change.current.revision
        assert (kind == ADDED) is (stored.key not in view)
        view[stored.key] = stored
        if kind == DELETED:
            del view[stored.key]
    assert list(view.values()) == [stored for stored in store.items("things") if selects(stored)] or (
        {k: v.raw for k, v in view.items()} == {s.key: s.raw for s in store.items("things") if selects(s)}
    )


def test_an_object_that_stops_matching_is_deleted_with_its_previous_content_and_the_new_version():
    store, _, changes = recorded()
    store.put(key("a"), thing("a", 1))
    store.put(key("a"), thing("a", 2))
    kind, stored = seen(changes[-1], lambda stored: stored.obj["value"] == 1)
    assert (kind, stored.obj["value"], stored.revision) == (DELETED, 1, store.revision)
    assert stored.obj["metadata"]["resourceVersion"] == str(store.revision)
    assert seen(changes[-1], lambda _: True)[0] == MODIFIED
    assert seen(changes[-1], lambda _: False) is None


def test_history_that_is_forgotten_or_compacted_is_expired():
    store, cache, _ = recorded(history_max=2)
    start = store.revision
    for value in range(1, 5):
        store.put(key("a"), thing("a", value))
    with pytest.raises(ApiError, match="too old resource version") as caught:
        cache.since("things", start)
    assert caught.value.code == 410
    assert len(cache.since("things", store.revision - 2)) == 2
    cache.compact(store.revision)
    assert cache.since("things", store.revision) == []
    with pytest.raises(ApiError):
        cache.since("things", store.revision - 1)
    with pytest.raises(ApiError):
        cache.since("others", start)


def test_a_subscription_that_is_not_drained_is_ended_and_its_connection_aborted():
    store, cache, _ = recorded(pending_max=2)
    woken, aborted = [], []
    subscription = cache.subscribe("things", lambda: woken.append(1), lambda: aborted.append(1))
    for value in range(1, 5):
        store.put(key("a"), thing("a", value))
    assert subscription.ended
    assert not subscription.pending
    assert aborted == [1]
    assert repr(subscription) == "<Subscription pending=0 ended>"
    cache.unsubscribe("things", subscription)
    assert repr(cache) == "<WatchCache resources=1 watches=0>"


def test_items_are_ordered_and_cut_by_namespace_and_key():
    store = Store()
    places = [("ns", "b"), ("ns", "a"), ("ns-1", "a"), ("n", "z")]
    random.Random(1).shuffle(places)
    for namespace, name in places:
        store.put(Key("things", namespace, name), thing(name))
    found = [stored.key[1:] for stored in store.items("things")]
    assert found == [("n", "z"), ("ns-1", "a"), ("ns", "a"), ("ns", "b")], "the dash comes before the slash"
    assert [stored.key.name for stored in store.items("things", "ns")] == ["a", "b"]
    assert [stored.key.name for stored in store.items("things", "ns", after="ns/a")] == ["b"]

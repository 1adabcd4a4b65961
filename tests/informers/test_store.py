"""One writer, many readers, indexes, and replacement in one step: R5, R7, R8, R27, I12, I14, I19."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from scripted_cluster import widget

from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.store import Added, Deleted, Store, StoreWriter, Updated


def filled(*objects):
    writer = StoreWriter(Store())
    for one in objects:
        writer.put(one)
    return writer


def listed(*objects):
    return {one.key: one for one in objects}


def labelled(name, version, *labels):
    return widget(name, version, labels=list(labels))


def labels(one):
    return one.to_dict()["labels"]


def test_readers_find_what_was_put():
    a, b = widget("a", 1), widget("b", 2, namespace="other")
    store = filled(a, b).store

    assert store.get(a.key) is a
    assert store.get(Key("default", "z")) is None
    assert store.list() == [a, b]
    assert store.list("other") == [b]
    assert store.keys() == [a.key, b.key]
    assert (len(store), a.key in store, list(store)) == (2, True, [a, b])
    assert store.bytes_held == len(a.raw) + len(b.raw)
    assert repr(store) == f"<Store objects=2 bytes={store.bytes_held}>"


def test_putting_tells_what_changed():
    writer = StoreWriter(Store())
    first, second = widget("a", 1), widget("a", 2)

    assert writer.put(first) == Added(first)
    assert writer.put(second) == Updated(first, second)
    assert writer.put(widget("a", 2)) is None, "R27"
    assert writer.put(widget("a", 2, uid="other")) is not None, "R8: another life"


def test_removing_tells_the_last_state_and_nothing_for_a_stranger():
    writer = filled(widget("a", 1))
    last = widget("a", 5)

    assert writer.remove(last) == Deleted(last)
    assert writer.remove(last) is None
    assert len(writer.store) == 0
    assert writer.store.bytes_held == 0


def test_replacing_tells_deletes_then_updates_and_adds_in_the_order_of_the_list():
    """R7."""
    gone, kept, old = widget("gone", 1), widget("kept", 2), widget("old", 3)
    writer = filled(gone, kept, old)
    new, fresh = widget("old", 9), widget("fresh", 8)

    changes = list(writer.replace(listed(fresh, widget("kept", 2), new)))

    assert changes == [Deleted(gone, final_state_known=False), Added(fresh), Updated(old, new)]
    assert writer.store.get(kept.key) is kept, "what is known already is not held twice"
    assert set(writer.store.keys()) == {kept.key, new.key, fresh.key}


def test_the_store_is_new_before_the_first_change_is_told():
    """R5."""
    writer = filled(widget("a", 1))

    changes = writer.replace(listed(widget("b", 2)))

    assert writer.store.keys() == [Key("default", "b")]
    assert len(list(changes)) == 2


def test_an_object_made_again_unseen_is_an_update():
    """R8, I19, scenario 29."""
    old, new = widget("a", 1, uid="first"), widget("a", 2, uid="second")
    writer = filled(old)

    assert list(writer.replace(listed(new))) == [Updated(old, new)]


def test_one_namespace_can_be_replaced():
    mine, other = widget("a", 1, namespace="x"), widget("a", 1, namespace="y")
    writer = filled(mine, other)

    assert list(writer.replace({}, namespace="x")) == [Deleted(mine, final_state_known=False)]
    assert writer.store.list() == [other]


def test_a_first_list_is_marked():
    writer = StoreWriter(Store())

    assert list(writer.replace(listed(widget("a", 1)), initial=True)) == [Added(widget("a", 1), initial=True)]


def test_a_replacement_prepared_before_another_write_is_prepared_again():
    writer = filled(widget("x", 1, namespace="x"))
    replacement = writer.replacement(listed(widget("a", 2, namespace="y")), namespace="y")
    for _ in replacement.prepare():
        pass
    late = widget("late", 3, namespace="x")
    writer.put(late)
    writer.store.add_index("name", lambda one: [one.name])

    list(replacement.swap(initial=False))

    assert late.key in writer.store
    assert writer.store.by_index("name", "late") == [late]
    assert writer.store.bytes_held == sum(len(one.raw) for one in writer.store)


@pytest.mark.parametrize("write", ["put", "remove"])
def test_a_replacement_that_is_being_prepared_bears_another_write(write):
    held = [widget(f"a{number}", number + 1, namespace="x") for number in range(4)]
    writer = filled(*held[:3])
    replacement = writer.replacement(listed(widget("b", 9, namespace="y")), namespace="y")
    preparing = replacement.prepare()
    next(preparing)

    writer.put(held[3]) if write == "put" else writer.remove(held[2])
    for _ in preparing:
        pass
    list(replacement.swap(initial=False))

    expected = [*held, widget("b", 9, namespace="y")] if write == "put" else [*held[:2], widget("b", 9, namespace="y")]
    assert writer.store.list() == expected


def test_old_states_are_freed_one_by_one_while_the_new_ones_are_told():
    """A4: a hundred thousand at once would hold the loop."""
    freed = []

    class Text(bytes):
        def __del__(self):
            freed.append(bytes(self))

    writer = filled(*(replace(widget(name, 1), raw=Text(b"old " + name.encode())) for name in "abc"))
    changes = writer.replace(listed(*(widget(name, 2) for name in "abc")))

    assert [(next(changes).key.name, len(freed)) for _ in range(3)] == [("a", 0), ("b", 1), ("c", 2)]


def test_a_replacement_in_which_little_has_changed_gives_way_at_each_object():
    """A4: its only change is at the end of a thousand objects, and whoever performs it lets others run in between."""
    same = [widget(f"w-{number}", number) for number in range(1, 1_000)]
    writer = filled(*same, widget("last", 1))
    new = widget("last", 1_001)
    replacement = writer.replacement(listed(*same, new))

    seen = list(replacement.swap(initial=False))

    assert [change for change in seen if change is not None] == [Updated(widget("last", 1), new)]
    assert len(seen) == 2_000  # what was there and what was listed


class TestIndexes:
    def test_an_index_finds_by_value(self):
        one, two = labelled("a", 1, "x", "y"), labelled("b", 2, "y")
        writer = filled(one, two)
        writer.store.add_index("label", labels)

        assert writer.store.by_index("label", "x") == [one]
        assert writer.store.by_index("label", "y") == [one, two], "I12: several values"
        assert writer.store.by_index("label", "z") == []

    def test_a_changed_value_moves_the_key_and_an_empty_value_is_forgotten(self):
        """I12, scenario 34."""
        writer = filled(labelled("a", 1, "x", "y"))
        store = writer.store
        store.add_index("label", labels)

        writer.put(labelled("a", 2, "y", "z"))
        assert set(store.index_values("label")) == {"y", "z"}

        writer.remove(labelled("a", 3))
        assert store.index_values("label") == []

    def test_one_added_while_running_knows_what_was_there(self):
        writer = filled(labelled("a", 1, "x"))
        writer.store.add_index("label", labels)
        writer.put(labelled("b", 2, "x"))

        assert [one.name for one in writer.store.by_index("label", "x")] == ["a", "b"]

    def test_its_name_can_be_taken_once(self):
        store = Store()
        store.add_index("label", labels)

        with pytest.raises(ValueError, match="has an index 'label' already"):
            store.add_index("label", labels)
        assert store.has_index("label")

    def test_one_that_nobody_added_is_an_error(self):
        with pytest.raises(KeyError):
            Store().by_index("label", "x")


operations = st.lists(
    st.tuples(
        st.sampled_from(["put", "remove", "replace", "replace one"]),
        st.sampled_from("abcd"),
        st.sampled_from(["x", "y"]),
        st.lists(st.sampled_from("123"), unique=True),
    ),
    max_size=30,
)


@given(operations)
def test_indexes_bytes_and_changes_agree_with_the_content_whatever_happens(steps):
    writer = StoreWriter(Store())
    writer.store.add_index("label", labels)
    replayed = {}
    for version, (what, name, namespace, values) in enumerate(steps, start=1):
        one = widget(name, version, namespace=namespace, labels=values)
        match what:
            case "put":
                changes = [writer.put(one)]
            case "remove":
                changes = [writer.remove(one)]
            case "replace":
                changes = writer.replace(listed(one))
            case _:
                changes = writer.replace(listed(one), namespace=namespace)
        for change in changes:
            _replay(replayed, change)
    store = writer.store
    assert {one.key: one for one in store} == replayed
    assert store.bytes_held == sum(len(one.raw) for one in store)
    for value in "123":
        assert {one.key for one in store.by_index("label", value)} == {one.key for one in store if value in labels(one)}
    assert all(store.by_index("label", value) for value in store.index_values("label"))


def _replay(held: dict[Key, Object], change):
    match change:
        case Added(one, _):
            assert one.key not in held
            held[one.key] = one
        case Updated(old, new):
            assert held[new.key] is old
            held[new.key] = new
        case Deleted(one, _):
            del held[one.key]

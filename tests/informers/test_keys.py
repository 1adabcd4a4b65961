"""Keys and their text."""

import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.informers.keys import Key

parts = st.text(st.characters(blacklist_characters="/", blacklist_categories=["Cs"]), min_size=1)


@pytest.mark.parametrize(("text", "key"), [("ns/a", Key("ns", "a")), ("a", Key("", "a"))])
def test_a_key_is_read_as_it_is_written(text, key):
    assert Key.parse(text) == key
    assert str(key) == text


@given(st.just("") | parts, parts)
def test_parse_is_the_inverse_of_str(namespace, name):
    key = Key(namespace, name)

    assert Key.parse(str(key)) == key


@pytest.mark.parametrize("text", ["", "/", "a/", "/a", "a/b/c"])
def test_what_is_no_key_is_refused(text):
    with pytest.raises(ValueError, match="not an object key"):
        Key.parse(text)


def test_keys_have_an_order_and_a_hash():
    keys = [Key("b", "a"), Key("a", "b"), Key("a", "a"), Key("", "z")]

    assert [str(key) for key in sorted(keys)] == ["z", "a/a", "a/b", "b/a"]
    assert {Key("a", "b"): 1}[Key("a", "b")] == 1
    assert Key("a", "b") != Key("b", "a")


def test_the_garbage_collector_does_not_see_them():
    """A store has one for every object, and looking through 100 000 of them would hold the loop for 50 ms."""
    assert not gc.is_tracked(Key("a", "b"))

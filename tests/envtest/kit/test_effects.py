"""The count of what happened outside."""

from concurrent.futures import ThreadPoolExecutor

from windlass.envtest.kit.effects import Effects


def test_each_effect_is_counted_by_its_words():
    effects = Effects()
    effects.record("open", "Ada")
    effects.record("open", "Ada")
    effects.record("close")
    assert effects.counts == {"open Ada": 2, "close": 1}
    assert repr(effects) == "<Effects {'open Ada': 2, 'close': 1}>"


def test_a_run_begins_with_none():
    effects = Effects()
    effects.record("open")
    effects.begin()
    assert effects.counts == {}


def test_what_was_read_does_not_change_later():
    effects = Effects()
    before = effects.counts
    effects.record("open")
    assert before == {}


def test_no_effect_of_any_thread_is_lost():
    effects = Effects()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: effects.record("a"), range(4000)))
    assert effects.counts == {"a": 4000}

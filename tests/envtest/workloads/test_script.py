"""A change of the script wakes what is followed, each key once, and nothing that was left."""

from windlass.envtest.workloads.script import Script
from windlass.informers import Key

ONE, OTHER = Key("default", "one"), Key("default", "other")


def woken(script):
    """The keys that have been put so far."""
    keys = []
    running = script.channel.run(lambda *woken: keys.append(woken))
    running.send(None)
    running.close()
    return keys


async def test_a_change_wakes_everything_that_is_followed():
    script = Script({"a": 1})
    script.follow(OTHER)
    script.follow(ONE)
    script.follow(ONE)

    script.change("b", 2)

    assert script.behaviours == {"a": 1, "b": 2}
    assert len(script) == 2
    assert woken(script) == [(ONE, "script"), (OTHER, "script")]


async def test_what_was_left_is_not_woken():
    script = Script(None)
    script.follow(ONE)
    script.leave(ONE)
    script.leave(OTHER)

    script.change("b", 2)

    assert (len(script), woken(script)) == (0, [])


async def test_the_script_that_was_given_is_not_changed():
    given = {"a": 1}

    Script(given).change("a", 2)

    assert given == {"a": 1}

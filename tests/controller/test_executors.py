"""Executors by name, from code and from installed packages."""

import sys
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

from windlass.controller import executors as module
from windlass.controller.errors import BrokenExecutor, DuplicateExecutor, ExecutorNotFound
from windlass.controller.executors import ENTRY_POINT_GROUP, ExecutorRegistry


class Softmax:
    name = "softmax"

    def render(self, job):
        return job

    async def start(self, plan):
        return plan

    async def observe(self, handle):
        return handle

    async def cancel(self, handle):
        return None


def entry_point(name, value):
    return EntryPoint(name=name, value=value, group=ENTRY_POINT_GROUP)


def registry(*points):
    return ExecutorRegistry(discover=lambda: points)


@pytest.fixture
def package(monkeypatch):
    """A module that looks installed; its executors are made by the tests."""
    made = ModuleType("plugin_under_test")
    made.SOFTMAX = Softmax()
    monkeypatch.setitem(sys.modules, "plugin_under_test", made)
    return made


def test_a_registered_executor_is_found_by_its_name():
    known = registry()
    softmax = Softmax()
    assert known.register("softmax", softmax) is softmax
    assert known.get("softmax") is softmax
    assert "softmax" in known
    assert known.names() == ("softmax",)


def test_a_class_may_be_registered_by_decoration():
    known = registry()

    @known.register("softmax")
    class Decorated(Softmax):
        pass

    assert isinstance(known.get("softmax"), Decorated)


def test_an_unknown_name_is_answered_with_the_known_ones():
    known = registry(entry_point("llm", "nowhere:LLM"))
    known.register("softmax", Softmax())
    with pytest.raises(ExecutorNotFound) as caught:
        known.get("sofmax")
    assert str(caught.value) == "there is no executor named 'sofmax'; known executors: llm, softmax"
    with pytest.raises(ExecutorNotFound, match="known executors: none at all"):
        registry().get("softmax")


def test_two_executors_of_one_name_are_an_error_and_one_registered_twice_is_not():
    known = registry()
    softmax = known.register("softmax", Softmax())
    known.register("softmax", softmax)
    with pytest.raises(DuplicateExecutor, match=r"two executors are named 'softmax': .*Softmax and .*Softmax"):
        known.register("softmax", Softmax())


def test_a_replacement_has_to_be_asked_for():
    known = registry()
    known.register("softmax", Softmax())
    better = known.register("softmax", Softmax(), replace=True)
    assert known.get("softmax") is better


def test_an_executor_of_an_installed_package_is_imported_when_asked_for(package):
    point = entry_point("softmax", "plugin_under_test:SOFTMAX")
    assert registry(point).get("softmax") is package.SOFTMAX


def test_a_class_offered_by_a_package_is_made_once(package):
    package.Softmax = Softmax
    known = registry(entry_point("softmax", "plugin_under_test:Softmax"))
    assert known.get("softmax") is known.get("softmax")


def test_names_are_listed_without_importing_anything():
    known = registry(entry_point("broken", "no_such_module_anywhere:X"))
    assert known.names() == ("broken",)
    assert "broken" in known
    assert repr(known) == "<ExecutorRegistry broken>"


def test_a_package_that_cannot_be_imported_is_named():
    known = registry(entry_point("broken", "no_such_module_anywhere:X"))
    with pytest.raises(BrokenExecutor, match=r"'broken' from no_such_module_anywhere:X cannot be used: ModuleNotFound"):
        known.get("broken")


def test_a_package_whose_object_is_missing_is_named(package):
    with pytest.raises(BrokenExecutor, match=r"plugin_under_test:NOTHING.*AttributeError"):
        registry(entry_point("softmax", "plugin_under_test:NOTHING")).get("softmax")


def test_two_packages_that_offer_one_name_are_both_named(package):
    package.OTHER = Softmax()
    known = registry(
        entry_point("softmax", "plugin_under_test:SOFTMAX"), entry_point("softmax", "plugin_under_test:OTHER")
    )
    with pytest.raises(DuplicateExecutor, match="plugin_under_test:SOFTMAX and plugin_under_test:OTHER"):
        known.get("softmax")


def test_a_package_listed_twice_is_one_package(package):
    """An editable install beside a wheel."""
    point = entry_point("softmax", "plugin_under_test:SOFTMAX")
    assert registry(point, entry_point("softmax", "plugin_under_test:SOFTMAX")).get("softmax") is package.SOFTMAX


def test_code_and_package_of_one_name_are_an_error_unless_they_are_one_or_replacement_is_meant(package):
    point = entry_point("softmax", "plugin_under_test:SOFTMAX")
    same = registry(point)
    same.register("softmax", package.SOFTMAX)
    assert same.get("softmax") is package.SOFTMAX
    other = registry(point)
    other.register("softmax", Softmax())
    with pytest.raises(DuplicateExecutor):
        other.get("softmax")
    mine = other.register("softmax", Softmax(), replace=True)
    assert other.get("softmax") is mine


def test_an_executor_that_lacks_a_part_of_the_contract_is_refused_with_the_parts_named():
    class Half:
        name = "half"

        def render(self, job):
            return job

    with pytest.raises(BrokenExecutor, match=r"'half' from .*Half cannot be used: it has no start, observe, cancel"):
        registry().register("half", Half())


def test_an_executor_that_calls_itself_otherwise_is_refused():
    with pytest.raises(BrokenExecutor, match="it calls itself 'softmax'"):
        registry().register("hardmax", Softmax())


def test_an_empty_name_is_refused():
    with pytest.raises(BrokenExecutor, match="its name is empty"):
        registry().register("", Softmax())


def test_the_contract_is_the_registrys_own():
    known = ExecutorRegistry[object](contract=(), discover=list)
    known.register("anything", 42)
    assert known.get("anything") == 42


def test_the_module_speaks_for_the_registry_of_the_process():
    module.register("test-only", softmax := type("TestOnly", (Softmax,), {"name": "test-only"})())
    assert module.get("test-only") is softmax is module.executors.get("test-only")
    assert "test-only" in module.names()


def test_an_executor_tells_its_version_and_what_it_can():
    class Capable(Softmax):
        version = "2.1"
        capabilities = ("cancel", "gpu")

    known = registry()
    known.register("softmax", Capable())
    info = known.info("softmax")
    assert (info.name, info.version, info.capabilities) == ("softmax", "2.1", {"cancel", "gpu"})
    assert info.origin.endswith("Capable")


def test_an_executor_that_says_nothing_has_no_version_and_no_capabilities(package):
    info = registry(entry_point("softmax", "plugin_under_test:SOFTMAX")).info("softmax")
    assert (info.version, info.capabilities, info.origin) == (None, set(), "plugin_under_test:SOFTMAX")


def test_asking_about_an_executor_fails_as_getting_it_does():
    with pytest.raises(ExecutorNotFound):
        registry().info("softmax")

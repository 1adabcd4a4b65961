"""All that is wrong is said at once."""

import pytest

from windlass.controller.errors import DuplicateName, ManagerError, ManagerFaults
from windlass.controller.faults import Faults


def test_without_faults_nothing_is_raised():
    faults = Faults()
    with faults:
        pass
    faults.raise_all("this")


def test_a_single_fault_is_raised_as_it_is():
    faults = Faults()
    with faults:
        raise DuplicateName("pods")
    with pytest.raises(DuplicateName):
        faults.raise_all("this")


def test_several_are_raised_together_each_on_a_line_of_its_own():
    faults = Faults()
    with faults:
        raise DuplicateName("pods")
    faults.add("the second")
    with pytest.raises(ManagerFaults) as caught:
        faults.raise_all("this manager cannot be built")
    assert str(caught.value) == (
        "this manager cannot be built: 2 things are wrong:\n"
        "- the name 'pods' is already used in this manager: give one of the two another name=…\n"
        "- the second"
    )
    assert [type(one) for one in caught.value.faults] == [DuplicateName, ManagerError]


def test_lists_of_faults_become_one_list():
    inner, outer = Faults(), Faults()
    inner.add("one")
    inner.add("two")
    with outer:
        inner.raise_all("inner")
    outer.add("three")
    assert [str(one) for one in outer.found] == ["one", "two", "three"]


def test_what_is_not_ours_is_not_gathered():
    with pytest.raises(ZeroDivisionError), Faults():
        _ = 1 / 0

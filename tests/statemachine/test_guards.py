"""Guards can be compared without trying them."""

from hypothesis import given
from hypothesis import strategies as st

from windlass.statemachine.guards import ALWAYS, BOOLEAN, assignments, when

DOMAINS = {"ready": BOOLEAN, "quorum": ("none", "some", "full"), "paused": BOOLEAN}

guards = st.dictionaries(
    st.sampled_from(sorted(DOMAINS)), st.just(None), max_size=3
).flatmap(
    lambda names: st.fixed_dictionaries(
        {name: st.lists(st.sampled_from(DOMAINS[name]), min_size=1, unique=True).map(tuple) for name in names}
    )
).map(lambda terms: when(**terms))  # fmt: skip


@given(guards, guards)
def test_two_guards_have_a_witness_exactly_when_some_facts_satisfy_both(first, second):
    both = [facts for facts in assignments(DOMAINS) if first.holds(facts) and second.holds(facts)]
    witness = (first & second).witness(DOMAINS)

    assert (witness is not None) == bool(both)
    if witness is not None:
        assert any(witness.items() <= facts.items() for facts in both)


def test_a_guard_reads_as_it_is_meant():
    assert str(when(ready=True, paused=False, quorum=("some", "full"))) == "ready and not paused and quorum=some|full"
    assert (str(ALWAYS), ALWAYS.holds({})) == ("", True)


def test_facts_have_as_many_assignments_as_their_domains_allow():
    assert len(list(assignments(DOMAINS))) == 12
    assert list(assignments({})) == [{}]

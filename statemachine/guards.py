"""A guard is a finite condition on named facts, so two of them can be compared before either is ever used.

A predicate in code can only be tried. A guard lists values, so whether two overlap, or contradict each other, is
decided where the machine is defined. This module does not know where facts come from.
"""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Final, TypeAlias

import attrs

__all__ = ("ALWAYS", "BOOLEAN", "Domains", "Facts", "Guard", "Value", "assignments", "when")

Value: TypeAlias = bool | str
Facts: TypeAlias = Mapping[str, Value]
Domains: TypeAlias = Mapping[str, tuple[Value, ...]]
"""For each fact the values that it can have."""

BOOLEAN: Final[tuple[Value, ...]] = (False, True)
"""The values of a fact that is true or not."""


@attrs.frozen
class Guard:
    """A conjunction: every fact named has one of the values listed for it. Without terms it always holds."""

    terms: tuple[tuple[str, tuple[Value, ...]], ...] = ()

    @property
    def facts(self) -> tuple[str, ...]:
        """The names of the facts that it asks for."""
        return tuple(name for name, _ in self.terms)

    def holds(self, facts: Facts) -> bool:
        """Whether it is true of these facts. Raises KeyError for one that is asked for and not given."""
        return all(facts[name] in values for name, values in self.terms)

    def __and__(self, other: "Guard") -> "Guard":
        """Both at once. Where they contradict each other a fact is left without values, and nothing holds."""
        terms = dict(self.terms)
        for name, values in other.terms:
            terms[name] = tuple(value for value in terms.get(name, values) if value in values)
        return Guard(tuple(terms.items()))

    def witness(self, domains: Domains) -> dict[str, Value] | None:
        """Facts under which it holds, of those it asks for; None if there are none."""
        found: dict[str, Value] = {}
        for name, values in self.terms:
            possible = [value for value in values if value in domains.get(name, ())]
            if not possible:
                return None
            found[name] = possible[0]
        return found

    def __str__(self) -> str:
        return " and ".join(_term(name, values) for name, values in self.terms)


ALWAYS: Final = Guard()


def when(**facts: Value | tuple[Value, ...]) -> Guard:
    """The guard that asks for these facts: `when(pinned=True, quorum=("full", "majority"))`."""
    return Guard(tuple((name, wanted if isinstance(wanted, tuple) else (wanted,)) for name, wanted in facts.items()))


def assignments(domains: Domains) -> Iterator[dict[str, Value]]:
    """Every way in which the facts can be: the product of their domains, one empty way if there are no facts."""
    names = tuple(domains)
    for values in product(*domains.values()):
        yield dict(zip(names, values, strict=True))


def _term(name: str, values: tuple[Value, ...]) -> str:
    if values == (True,):
        return name
    if values == (False,):
        return f"not {name}"
    return f"{name}={'|'.join(str(value) for value in values) or 'nothing'}"

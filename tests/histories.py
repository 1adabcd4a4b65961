"""Whether a history of concurrent operations could have happened one at a time: the search of Wing and Gong.

An operation took place at some moment between its call and its return. The search picks, again and again, an operation
that no other had finished before, applies it to the sequential model, and goes back when it answered otherwise. What
has been tried (operations done, state) is remembered, so that a history of some hundred operations is decided at once.
"""

import attrs

__all__ = ("Operation", "linearizable")


@attrs.frozen
class Operation:
    """`called` and `returned` are moments on one clock that all threads share."""

    called: int
    returned: int
    name: str
    arguments: tuple
    answer: object


def linearizable(history, initial, apply):
    """`apply(state, name, arguments)` is the sequential model: it gives the answer and the next state, hashable."""
    operations = sorted(history, key=lambda one: one.called)
    stack = [(frozenset(range(len(operations))), initial)]
    tried = set(stack)
    while stack:
        left, state = stack.pop()
        if not left:
            return True
        first_return = min(operations[index].returned for index in left)
        for index in left:
            one = operations[index]
            if one.called > first_return:
                continue
            answer, following = apply(state, one.name, one.arguments)
            following = (left - {index}, following)
            if answer == one.answer and following not in tried:
                tried.add(following)
                stack.append(following)
    return False

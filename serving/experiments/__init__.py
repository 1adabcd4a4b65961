"""Experiments: two arms of a route compared by tests that may be looked at after every request."""

from windlass.serving.experiments.decision import State, Verdict
from windlass.serving.experiments.journal import Entry, Journal
from windlass.serving.experiments.plan import Experiment, Fuse, Goal, Guardrail

__all__ = ("Entry", "Experiment", "Fuse", "Goal", "Guardrail", "Journal", "State", "Verdict")

"""The validation gate: a model is promoted if every required check has passed on exactly this model, and never else.

`runner` carries the checks out, `verdict` judges, `types` has what a job's spec and status say of it. What the checks
prove, and what they do not, stands in `docs/explanation/gate.md`.
"""

__all__ = ()

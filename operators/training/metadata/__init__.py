"""Recorded metadata: which data, which run, which model, which numbers; model cards and lineage are made of it alone.

Shaped as ML Metadata is: artifacts, executions, contexts, and events between them. `records` has the values, `schema`
what may be in them, `store` keeps them, `recording` makes them of a training job.
"""

__all__ = ()

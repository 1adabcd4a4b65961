"""The executors of TrainingJob, one module each; the registry of `windlass.controller` finds them by name."""

__all__ = ()

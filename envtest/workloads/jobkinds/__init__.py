"""What the stand-ins for controllers of training jobs have in common: a script, Pods in groups, and one shell."""

from windlass.envtest.workloads.jobkinds.behaviour import Behaviour

__all__ = ("Behaviour",)

"""How to try an operator without a cluster: an embedded API server, a real control plane, and virtual time."""

__all__ = ()

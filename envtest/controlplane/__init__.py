"""A real control plane, from programs of this machine or an archive, or in a container; for a test or a session."""

from windlass.envtest.controlplane.components import User
from windlass.envtest.controlplane.plane import ControlPlane, find_binaries, has_scheduler, why_no_binaries

__all__ = ("ControlPlane", "User", "find_binaries", "has_scheduler", "why_no_binaries")

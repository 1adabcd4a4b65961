"""What stands behind an InferenceService: revisions in Knative mode, Deployments in Standard mode. Values, no more."""

from collections.abc import Mapping
from datetime import datetime

import attrs

from windlass.envtest.workloads.kserve.behaviour import Behaviour, behaviour_of

__all__ = ("Memory", "Revision")


@attrs.frozen
class Revision:
    """One template that was rolled out, and since when it is there."""

    name: str
    template: str
    release: str
    made_at: datetime
    behaviour: Behaviour = attrs.field(factory=Behaviour)

    def is_ready(self, now: datetime) -> bool:
        """Whether its Pods serve."""
        return self.behaviour.comes_up and self.left(now) <= 0

    def left(self, now: datetime) -> float:
        """Seconds until it is ready, if it ever is."""
        return self.behaviour.ready_seconds - (now - self.made_at).total_seconds()


@attrs.frozen
class Memory:
    """Of one InferenceService: its revisions, the oldest first, and which were rolled out last.

    `refused` is what was asked for last, if it could not be followed.
    """

    revisions: tuple[Revision, ...] = ()
    refused: Revision | None = None
    rolled_out: str = ""
    previous: str = ""
    loaded: bool = False

    def find(self, name: str) -> Revision | None:
        """The revision of that name."""
        return next((one for one in self.revisions if one.name == name), None)

    def scripted(self, script: Mapping[str, Behaviour]) -> "Memory":
        """The same, with each revision behaving as the script says now."""
        revisions = (attrs.evolve(one, behaviour=behaviour_of(one.release, script)) for one in self.revisions)
        return attrs.evolve(self, revisions=tuple(revisions))

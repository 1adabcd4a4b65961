"""A handler that believes what it is told, and checks that it can: no gap, no repeat, never back in time."""

from scripted_cluster import short

from windlass.informers.store import Added, Deleted, Updated

__all__ = ("Journal",)


class Journal:
    """What an informer's handler was told. Whoever breaks a promise to it is seen in `handler_failures`.

    `held` is the last told state of each object, by key; `changes` what was told, oldest first, and `told` the same in
    short (see `scripted_cluster.told`).
    """

    def __init__(self, informer, *, name="journal"):
        self.held = {}
        self.changes = []
        self.name = name
        self.informer = informer
        self.registration = informer.add_handler(self, name=name)

    def __call__(self, change):
        match change:
            case Added(one, _):
                assert one.key not in self.held, "told twice"
                self.held[one.key] = one
            case Updated(old, new):
                assert self.held[new.key] is old, "a gap"
                recreated = old.uid != new.uid
                assert recreated or int(new.resource_version) > int(old.resource_version), "back in time"
                self.held[new.key] = new
            case Deleted(one, _):
                del self.held[one.key]
        self.changes.append(change)

    @property
    def told(self):
        """The changes in short."""
        return [short(change) for change in self.changes]

    @property
    def contents(self):
        """What the informer must hold, if all it told is true."""
        return {key: one.raw for key, one in self.held.items()}

    def check(self):
        """That every promise was kept, and that what was told adds up to what is held."""
        assert self.registration.failures == 0, f"{self.name} was told what cannot be: {self.told[-5:]}"
        assert self.contents == {one.key: one.raw for one in self.informer.store}

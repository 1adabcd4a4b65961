"""The whole flow of one finalizer around a reconciler's two halves, so that neither can be run at the wrong time (F1).

Flow: a live object without the finalizer gets it, and nothing else happens until that change has come back; a live one
with it is reconciled; one being deleted is cleaned up after, and then let go.

Guarantees: `reconcile` never runs without the finalizer on record; the finalizer goes only after `clean_up` returned.
Caveats: `clean_up` may run more than once, also after it has succeeded (F2); it must find its work done and return.
"""

from collections.abc import Awaitable, Callable

from windlass.controller.context import Context
from windlass.controller.finalizers import Stage, stage
from windlass.controller.request import Result
from windlass.controller.subject import AnyObject, subject_of

__all__ = ("with_finalizer",)

Half = Callable[[], Awaitable[Result | None]]


async def with_finalizer(
    ctx: Context, obj: AnyObject, finalizer: str, *, reconcile: Half, clean_up: Half
) -> Result | None:
    """Run the half that the object's stage calls for, and keep the finalizer as it should be.

    A `clean_up` that is not finished yet returns `Result.after` or `Result.again`: the finalizer then stays. Raises
    what the halves raise.
    """
    match stage(subject_of(obj), finalizer):
        case Stage.ADD:
            await ctx.add_finalizer(obj, finalizer)
            return None  # the change comes back and wakes the key
        case Stage.RECONCILE:
            return await reconcile()
        case Stage.CLEAN_UP:
            result = await clean_up()
            if result is None or result == Result.done():
                await ctx.remove_finalizer(obj, finalizer)
            return result
        case Stage.LET_GO:
            return None

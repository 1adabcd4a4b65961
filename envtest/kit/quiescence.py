"""A manager is at rest when nothing will happen until the cluster changes or a timer that it was promised fires.

That can be seen, not only waited for: no key is ready, running or failing, no call is on its way, and each cache holds
exactly what the server holds.
"""

import asyncio

from windlass.controller.controller import Controller
from windlass.controller.manager import Manager
from windlass.informers.api import Api
from windlass.informers.resources import Resource

__all__ = ("unrest",)


async def unrest(manager: Manager, api: Api, *, timers_within: float) -> str:
    """What keeps the started manager from being at rest; "" when nothing does.

    A timer that fires within `timers_within` seconds is unrest. `api` is one that leads past whatever disturbs the
    manager's own.
    """
    busy = _busy(manager, timers_within)
    if busy:
        return busy
    for resource in sorted({one for controller in manager.controllers for one in _cached(controller)}, key=str):
        listed = await api.list(resource, namespace=manager.namespace if resource.namespaced else None, limit=0)
        there = {one.key: one.resource_version for one in listed.items}
        known = {one.key: one.resource_version for one in manager.cache.list(resource)}
        if there != known:
            behind = sorted(str(key) for key in there.keys() | known.keys() if there.get(key) != known.get(key))
            return f"the cache of {resource} has not seen the last change of {', '.join(behind)}"
    return _busy(manager, timers_within)


def _busy(manager: Manager, timers_within: float) -> str:
    return next((why for controller in manager.controllers if (why := _controller_busy(controller, timers_within))), "")


def _controller_busy(controller: Controller, timers_within: float) -> str:
    if not controller.is_ready:
        return f"the controller {controller.name} has not started"
    schedule = controller.queue.schedule
    if schedule.running:
        return f"the controller {controller.name} is working on {', '.join(map(str, schedule.running))}"
    if len(schedule):
        return f"the controller {controller.name} has keys to work on: {controller.queue!r}"
    if schedule.failing:
        last = controller.statistics.last_errors
        why = f"; the last error: {last[-1].key}: {last[-1].error}" if last else ""
        return f"the controller {controller.name} tries again: {', '.join(map(str, schedule.failing))}{why}"
    deadline = schedule.next_deadline()
    if deadline is not None and deadline - asyncio.get_running_loop().time() < timers_within:
        return f"the controller {controller.name} has a timer that fires within {timers_within:g} s"
    return ""


def _cached(controller: Controller) -> set[Resource]:
    return {watch.resource for watch in controller.spec.watches} | set(controller.spec.reads)

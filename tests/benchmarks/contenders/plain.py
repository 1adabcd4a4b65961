"""What a user of a client without informers writes beside it: a dictionary, a queue without duplicates, and workers."""

import asyncio
import time

from meter import Meter


class Operator:
    """A subclass adds the library's part: `list`, `watch`, `phase`, `stamp` and `patch`."""

    def __init__(self, task):
        self.task = task
        self.store, self.known, self.queue = {}, set(), asyncio.Queue()
        self.over, self.done, self.latencies = asyncio.Event(), 0, []
        self.since = time.monotonic_ns()

    def add(self, key):
        if key not in self.known:
            self.known.add(key)
            self.queue.put_nowait(key)

    def changed(self, key, item):
        self.store[key] = item
        self.add(key)

    async def work(self):
        while True:
            key = await self.queue.get()
            self.known.discard(key)
            await self.reconcile(key)

    async def reconcile(self, key):
        item = self.store[key]
        if self.task.scenario == "latency":
            sent = int(self.stamp(item) or 0)
            if sent > self.since:
                self.latencies.append((time.monotonic_ns() - sent) / 1e6)
                if len(self.latencies) == self.task.updates:
                    self.over.set()
            return
        if self.task.scenario == "reconcile":
            if self.phase(item) == self.task.value:
                return
            await self.patch(key, {"status": {"phase": self.task.value}})
        self.done += 1
        if self.done == self.task.objects:
            self.over.set()

    async def race(self):
        task, meter = self.task, Meter()
        version = await self.list()
        if task.scenario == "sync":
            meter.stop()
            meter.report(held=len(self.store))
            return
        tasks = [asyncio.create_task(self.watch(version))]
        tasks += [asyncio.create_task(self.work()) for _ in range(task.workers)]
        if task.scenario == "latency":
            await asyncio.sleep(2.0)  # no library says when its watch is open
            self.since = time.monotonic_ns()
            meter.ready()
        else:
            if task.scenario == "noop":
                meter.start()
            for key in self.store:
                self.add(key)
        over = asyncio.create_task(self.over.wait())
        ended, _ = await asyncio.wait([over, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for one in ended:
            one.result()  # a worker that failed must not look like one that is slow
        if not over.done():
            raise SystemExit("the watch has ended")
        meter.stop()
        meter.report(**({"latencies_ms": self.latencies} if task.scenario == "latency" else {}))
        for one in tasks:
            one.cancel()

"""What a key costs on its way through the work queue, against the least that any queue must do.

    python tests/benchmarks/bench_queue.py [--keys 100000] [--rounds 5]

The floor is a deque and a set: append, popleft, and the two set operations that keep a key from standing in line twice.
It has no priorities, timers, retries, reasons or measurements. Both run in the same process, turn by turn; the medians
and their ratio are printed.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections import deque

from windlass.controller.queue import WorkQueue
from windlass.informers.keys import Key


def keys_of(count: int) -> list[Key]:
    return [Key(f"ns-{index % 10}", f"object-{index}") for index in range(count)]


def floor_seconds(keys: list[Key]) -> float:
    began = time.process_time()
    waiting: deque[Key] = deque()
    known: set[Key] = set()
    for key in keys:
        if key not in known:
            known.add(key)
            waiting.append(key)
    while waiting:
        known.discard(waiting.popleft())
    return time.process_time() - began


async def queue_seconds(keys: list[Key]) -> float:
    began = time.process_time()
    queue: WorkQueue[Key] = WorkQueue("bench")
    for key in keys:
        queue.add(key)
    while (item := queue.get_nowait()) is not None:
        queue.forget(item.key)
        queue.done(item.key)
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    keys = keys_of(options.keys)
    pairs = [(floor_seconds(keys), asyncio.run(queue_seconds(keys))) for _ in range(options.rounds)]
    floor, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    row = {
        "scenario": "queue add+get+forget+done",
        "keys": options.keys,
        "operations_a_second": round(options.keys / ours),
        "floor_a_second": round(options.keys / floor),
        "ratio_to_floor": round(ours / floor, 1),
    }
    print(json.dumps(row))


if __name__ == "__main__":
    main()

"""Whether eight concurrent writers of one status lose an update, against a real API server.

    python tests/benchmarks/bench_status.py [--rounds 200] [--server kubernetes|embedded]

A round is eight writes at once, half of which also raise a shared counter; `tests/status_writers.py` says how. Printed
are the rounds, the writes that were lost, and the conflicts after which a writer had to read again.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from servers import open_server
from status_writers import WRITERS, Tally, define, write_rounds

from windlass.informers.api import Api
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster


async def measure(server_kind: str, rounds: int) -> Tally:
    async with open_server(server_kind) as server, Client(Cluster.from_dict(server.kubeconfig())) as client:
        api = Api(client)
        return await write_rounds(api, await define(api), rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--server", choices=("kubernetes", "embedded"), default="kubernetes")
    options = parser.parse_args()
    tally = asyncio.run(measure(options.server, options.rounds))
    row = {
        "scenario": "status writes, eight at once",
        "server": options.server,
        "rounds": tally.rounds,
        "writes": tally.rounds * WRITERS,
        "lost": len(tally.lost),
        "conflicts": tally.conflicts,
        "writes_a_second": round(tally.rounds * WRITERS / tally.seconds),
    }
    print(json.dumps(row))
    for lost in tally.lost[:10]:
        print(lost, file=sys.stderr)
    sys.exit(1 if tally.lost else 0)


if __name__ == "__main__":
    main()

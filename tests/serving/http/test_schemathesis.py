"""schemathesis, unmodified, makes requests of our OpenAPI document: no 5xx, no answer that the document does not know.

`WINDLASS_FUZZ_REQUESTS` is about how many are made: some paths have few to offer, others have 60 even if asked for
none. From 1 000 on the paths with a version are asked, too. `WINDLASS_SEED` makes another run. The requests that
`tests/bombs.py` makes go deeper into tensors; these go through every path, method, header and content type.
"""

import asyncio
import json
import os
import random
import re
import resource

import pytest
from bombs import SPECS
from peers import peer_program
from seeds import announced_seed

from windlass.serving import Endpoint, LinearModel, ModelRepository
from windlass.serving.http import openapi

pytestmark = pytest.mark.realtime(limit=3600)

REQUESTS = int(os.environ.get("WINDLASS_FUZZ_REQUESTS", "200"))
GROWTH_MAX_BYTES = 300 * 2**20
PATIENCE_SECONDS = 60
# A schema cannot say that a count of numbers is the product of a shape, or which names a model knows.
EXCLUDED = "positive_data_acceptance"


def inward(document):
    """The document for this endpoint: the models and inputs it has, without which most requests end at a 404.

    Without the header that says how much of the body is JSON, too: 0 makes a tensor of any bytes, which no schema says.
    Bombs have it.
    """
    found = json.loads(json.dumps(document))
    inputs = sorted({spec.name for specs in SPECS.values() for spec in specs} | {"x"})
    found["components"]["schemas"]["InferInput"]["properties"]["name"] = {"enum": inputs}
    for operations in found["paths"].values():
        for operation in operations.values():
            parameters = [one for one in operation.get("parameters", ()) if one["in"] == "path"]
            operation["parameters"] = parameters
            for parameter in parameters:
                if parameter["name"] == "model":
                    parameter["schema"] = {"enum": ["linear", *SPECS]}
                elif parameter["name"] == "version":
                    parameter["schema"] = {"enum": ["1", "7"]}
    return found


async def test_no_request_made_of_the_document_ends_in_a_5xx_or_in_what_it_does_not_describe(echo, tmp_path):
    """R9-R11."""
    document = inward(openapi.document())
    operations = sum(map(len, document["paths"].values()))
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    repository = ModelRepository()
    repository.add("linear", LinearModel())
    for name, specs in SPECS.items():
        repository.add(name, echo(*specs))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with Endpoint(repository, port=0) as endpoint:
        command = (
            *(peer_program("st"), "run", "openapi.json", "--url", endpoint.url, "--exclude-checks", EXCLUDED),
            *("--max-examples", str(max(1, REQUESTS // operations)), "--request-timeout", str(PATIENCE_SECONDS)),
            *("--seed", str(random.Random(announced_seed()).getrandbits(32)), "--no-shrink", "--no-color"),
            *("--continue-on-failure", "--warnings", "off", "--max-response-time", str(PATIENCE_SECONDS)),
            *(() if REQUESTS >= 1000 else ("--exclude-path-regex", "/versions/")),
        )
        process = await asyncio.create_subprocess_exec(
            *command, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        try:
            written = (await process.communicate())[0].decode()
        finally:
            if process.returncode is None:
                process.kill()
    assert process.returncode == 0, written
    made = int(re.search(r"(\d+) generated", written)[1])
    print(made, "requests")
    assert made >= 400
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < GROWTH_MAX_BYTES

"""The linear model on KServe's Python server, as its own documentation would have it.

    python kserve_linear.py PORT

For that server's own environment; it imports nothing of ours. The log line for each request, which is on by default, is
off, so that it is the server that is measured and not its log.
"""

import logging
import sys

import numpy as np
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer


class Linear(Model):
    """`1.5 - 0.8 x`."""

    def __init__(self) -> None:
        super().__init__("linear")
        self.ready = True

    async def predict(self, payload, headers=None, response_headers=None):
        if not isinstance(payload, InferRequest):
            return {"predictions": [1.5 - 0.8 * x for x in payload["instances"]]}
        values = payload.inputs[0].as_numpy() * -0.8 + 1.5
        output = InferOutput("prediction", list(values.shape), "FP64")
        output.set_data_from_numpy(values.astype(np.float64), binary_data=False)
        return InferResponse(payload.id, self.name, [output])


if __name__ == "__main__":
    logging.disable(logging.INFO)
    server = ModelServer(http_port=int(sys.argv[1]), enable_grpc=False, enable_latency_logging=False, workers=1)
    server.start([Linear()])

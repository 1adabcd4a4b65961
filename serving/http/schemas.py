"""The JSON of every protocol as JSON Schema, as strict as the endpoint is where a schema can say it.

What a schema cannot say is checked anyway: that the count of numbers is the product of the shape, that a tensor fits
the model's description, that a number fits its datatype. Unknown fields are passed over, so no object is closed.
"""

from typing import TypeAlias

from windlass.serving.tensors import DATATYPES

__all__ = ("SCHEMAS", "Schema", "reference")

Schema: TypeAlias = dict[str, object]


def reference(name: str) -> Schema:
    """A reference to one of `SCHEMAS`."""
    return {"$ref": f"#/components/schemas/{name}"}


def _object(properties: dict[str, Schema], *, required: tuple[str, ...] = (), about: str = "") -> Schema:
    schema: Schema = {"type": "object", "properties": properties, "required": list(required)}
    return {**schema, "description": about} if about else schema


def _list(items: Schema, **more: object) -> Schema:
    return {"type": "array", "items": items, **more}


_STRING: Schema = {"type": "string"}
_TRUTH: Schema = {"type": "boolean"}
_WHOLE: Schema = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_DATATYPE: Schema = {"type": "string", "enum": list(DATATYPES)}
_NULLABLE_PARAMETERS: Schema = {"anyOf": [reference("Parameters"), {"type": "null"}]}

SCHEMAS: dict[str, Schema] = {
    "Error": _object({"error": _STRING}, required=("error",), about="What is wrong, in one sentence."),
    "Alive": _object({"status": _STRING}, required=("status",)),
    "Live": _object({"live": _TRUTH}, required=("live",)),
    "Ready": _object({"ready": _TRUTH, "error": {**_STRING, "description": "Why not."}}, required=("ready",)),
    "ModelReady": _object({"name": _STRING, "ready": _TRUTH}, required=("name", "ready")),
    "ModelList": _object({"models": _list(_STRING)}, required=("models",)),
    "ServerMetadata": _object(
        {"name": _STRING, "version": _STRING, "extensions": _list(_STRING)}, required=("name", "version", "extensions")
    ),
    "TensorMetadata": _object(
        {
            "name": _STRING,
            "datatype": _DATATYPE,
            "shape": _list({"type": "integer", "minimum": -1}, description="-1 for a dimension that varies."),
        },
        required=("name", "datatype", "shape"),
    ),
    "ModelMetadata": _object(
        {
            "name": _STRING,
            "versions": _list(_STRING),
            "platform": _STRING,
            "inputs": _list(reference("TensorMetadata")),
            "outputs": _list(reference("TensorMetadata")),
            "properties": {"type": "object", "additionalProperties": _STRING},
        },
        required=("name", "versions", "platform", "inputs", "outputs"),
    ),
    "Parameters": {
        "type": "object",
        "additionalProperties": {"type": ["string", "number", "boolean"]},
        "description": "Those that are not known are passed over.",
    },
    "RequestParameters": {
        "type": "object",
        "properties": {
            "timeout": {**_WHOLE, "description": "Answer within so many microseconds; 0 asks for nothing."},
            "priority": {**_WHOLE, "description": "1 is the most urgent; 0 asks for nothing."},
            "binary_data_output": {**_TRUTH, "description": "Whether all outputs are answered raw."},
        },
        "additionalProperties": {"type": ["string", "number", "boolean"]},
        "description": "Those that are not known are passed over.",
    },
    "Shape": _list({"type": "integer", "minimum": 1, "maximum": 2**63 - 1}),
    "Data": _list({}, description="Row-major: flat, or nested as the shape says."),
    "InferInput": _object(
        {
            "name": _STRING,
            "datatype": _DATATYPE,
            "shape": reference("Shape"),
            "data": reference("Data"),
            "parameters": _NULLABLE_PARAMETERS,
        },
        required=("name", "datatype", "shape"),
        about="Exactly one of `data` and the parameter `binary_data_size`.",
    ),
    "RequestedOutput": _object({"name": _STRING, "parameters": _NULLABLE_PARAMETERS}, required=("name",)),
    "InferRequest": _object(
        {
            "id": {"type": ["string", "null"]},
            "parameters": {"anyOf": [reference("RequestParameters"), {"type": "null"}]},
            "inputs": _list(reference("InferInput"), minItems=1),
            "outputs": {"anyOf": [_list(reference("RequestedOutput")), {"type": "null"}]},
        },
        required=("inputs",),
    ),
    "InferOutput": _object(
        {
            "name": _STRING,
            "datatype": _DATATYPE,
            "shape": reference("Shape"),
            "data": reference("Data"),
            "parameters": _object({"binary_data_size": _COUNT}),
        },
        required=("name", "datatype", "shape"),
    ),
    "InferResponse": _object(
        {"id": _STRING, "model_name": _STRING, "model_version": _STRING, "outputs": _list(reference("InferOutput"))},
        required=("id", "model_name", "model_version", "outputs"),
    ),
    "PredictRequest": _object({"instances": _list({}, minItems=1)}, required=("instances",)),
    "PredictResponse": _object({"predictions": _list({})}, required=("predictions",)),
    "ExplainResponse": _object({"explanations": _list({})}, required=("explanations",)),
    "PlainRequest": {"type": "object", "description": "One value for each input of the model."},
    "PlainResponse": {"type": "object", "description": "One value for each output of the model."},
    "PageState": _object(
        {
            "ready": _TRUTH,
            "reason": _STRING,
            "bounds": _list({"type": "number"}, description="Upper bounds of the latencies' buckets, in seconds."),
            "models": _list(reference("PageModel")),
            "others": reference("Index"),
        },
        required=("ready", "reason", "bounds", "models", "others"),
    ),
    "PageModel": _object(
        {
            "name": _STRING,
            "version": _STRING,
            "platform": _STRING,
            "inputs": _list(reference("TensorMetadata")),
            "outputs": _list(reference("TensorMetadata")),
            "counts": _list(_COUNT, description="Requests up to each bound, and all of them."),
        },
        required=("name", "version", "platform", "inputs", "outputs", "counts"),
    ),
    "IndexRequest": _object({"ready": {"type": ["boolean", "null"]}}),
    "Index": _list(
        _object(
            {
                "name": _STRING,
                "version": _STRING,
                "state": {"type": "string", "enum": ["READY", "LOADING", "UNAVAILABLE"]},
                "reason": _STRING,
            },
            required=("name", "version", "state", "reason"),
        )
    ),
}

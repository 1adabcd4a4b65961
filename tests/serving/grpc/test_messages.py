"""The messages on the wire, beside those of a client that was generated from the protocol's own file."""

import pytest
from tritonclient.grpc import service_pb2

from windlass.serving.grpc.messages import ONEOF, message

# In the Open Inference Protocol and not in Triton's file.
OURS_ALONE = {("ModelMetadataResponse", "properties")}
NAMES = [
    f"{method}{side}"
    for method in (
        "ServerLive",
        "ServerReady",
        "ModelReady",
        "ServerMetadata",
        "ModelMetadata",
        "ModelInfer",
        "RepositoryIndex",
    )
    for side in ("Request", "Response")
]


def fields(descriptor):
    """Every field below a message, as the wire knows it."""
    found = set()
    for field in descriptor.fields:
        if (descriptor.name, field.name) in OURS_ALONE:
            continue
        found.add((descriptor.full_name, field.number, field.name, field.type, field.is_repeated))
        if field.message_type is not None:
            found |= fields(field.message_type)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_each_message_has_the_fields_of_the_protocol(name):
    """Two definitions of the same messages live in this process: a client's, and ours in a pool of its own."""
    theirs = getattr(service_pb2, name).DESCRIPTOR
    assert fields(theirs) == fields(message(name).DESCRIPTOR)


def test_what_one_writes_the_other_reads():
    """G4: each kind of parameter, the two that are newer than some clients among them."""
    ours = message("ModelInferRequest")(model_name="m", id="7", raw_input_contents=[b"ab"])
    tensor = ours.inputs.add(name="x", datatype="FP32", shape=[-1, 2**40])
    tensor.contents.fp32_contents.extend([0.5, -1.0])
    choices = {
        "bool_param": True,
        "int64_param": -1,
        "string_param": "s",
        "double_param": 0.5,
        "uint64_param": 2**64 - 1,
    }
    for name, value in choices.items():
        setattr(ours.parameters[name], name, value)
    theirs = service_pb2.ModelInferRequest.FromString(ours.SerializeToString())
    assert theirs.SerializeToString(deterministic=True) == ours.SerializeToString(deterministic=True)
    assert theirs.inputs[0].contents.fp32_contents == [0.5, -1.0]
    for name, value in choices.items():
        assert getattr(theirs.parameters[name], theirs.parameters[name].WhichOneof(ONEOF)) == value


def test_properties_are_a_map_in_the_place_where_the_protocol_has_them():
    """R6."""
    (field,) = [one for one in message("ModelMetadataResponse").DESCRIPTOR.fields if one.name == "properties"]
    assert (field.number, field.message_type.GetOptions().map_entry) == (6, True)

"""Tensors on their way to a worker and back."""

import socket

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from windlass.serving.isolation import wire
from windlass.serving.tensors import DATATYPES, TensorSpec


def through(sent, specs):
    """The arrays, after a journey through a socket."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        tensors, blobs = wire.pack(sent, specs)
        wire.send(ours, wire.Predict(tensors), blobs)
        message, raw = wire.receive(theirs)
        return wire.unpack(message.tensors, raw)


FIXED = [name for name, dtype in DATATYPES.items() if dtype.kind in "biuf"]


@given(st.data())
def test_an_array_arrives_bit_by_bit(data):
    dtypes = data.draw(st.lists(st.sampled_from(FIXED), min_size=1, max_size=3))
    shapes = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
    sent = {f"t{n}": data.draw(arrays.arrays(DATATYPES[one], shapes)) for n, one in enumerate(dtypes)}
    specs = [TensorSpec(name, one) for name, one in zip(sent, dtypes, strict=True)]
    received = through(sent, specs)
    for name, array in sent.items():
        assert received[name].dtype == array.dtype
        assert received[name].shape == array.shape
        assert received[name].tobytes() == array.tobytes()


def test_bytes_and_half_precisions_arrive():
    sent = {
        "words": np.array([[b"a", b""], [b"\xff\x00", b"b" * 1000]], dtype=object),
        "half": np.array([1.5], dtype=ml_dtypes.bfloat16),
        "turned": np.arange(6.0).reshape(2, 3).T,
    }
    specs = [TensorSpec("words", "BYTES"), TensorSpec("half", "BF16"), TensorSpec("turned", "FP64")]
    received = through(sent, specs)
    assert all((received[name] == array).all() and received[name].dtype == array.dtype for name, array in sent.items())


def test_what_is_not_as_described_arrives_as_it_is_for_the_check_to_name():
    received = through({"x": np.array([1], dtype=np.int16)}, [TensorSpec("x", "FP64"), TensorSpec("y", "FP64")])
    assert (list(received), received["x"].dtype) == (["x"], np.int16)


@pytest.mark.parametrize("kept", [0, 5, 20, 40])
def test_a_connection_that_breaks_off_is_closed(kept):
    ours, theirs = socket.socketpair()
    with theirs:
        with ours:
            wire.send(ours, wire.Failed("a sentence that is long enough for the cut"))
            whole = theirs.recv(1000, socket.MSG_PEEK)
            theirs.recv(len(whole))
            ours.sendall(whole[:kept])
        with pytest.raises(wire.Closed):
            wire.receive(theirs)
        with pytest.raises(wire.Closed):
            wire.send(theirs, wire.Failed("to nobody"))

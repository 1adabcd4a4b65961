"""Options and workloads are judged field by field: what was found, what was expected, all at once."""

import attrs
import pytest
from attempts import WORKLOAD

from windlass.operators.training.executors.options import Option, option_faults, option_values, workload_faults

OPTIONS = (Option("runtime", "torch"), Option("kind", choices=("A", "B")), Option("processes", minimum=1))


@pytest.mark.parametrize(
    ("given", "faults"),
    [
        ({}, []),
        ({"runtime": "mine", "kind": "B", "processes": 8}, []),
        ({"runtimes": "mine"}, ["executorConfig.runtimes: unknown; this executor knows runtime, kind, processes"]),
        ({"kind": "C"}, ["executorConfig.kind: expected one of A, B, found 'C'"]),
        ({"processes": 0}, ["executorConfig.processes: expected an integer from 1 up, found 0"]),
        ({"processes": True}, ["executorConfig.processes: expected an integer from 1 up, found True"]),
        ({"processes": "8"}, ["executorConfig.processes: expected an integer from 1 up, found '8'"]),
        ({"runtime": 3, "kind": None}, [
            "executorConfig.runtime: expected a name of Kubernetes, found 3",
            "executorConfig.kind: expected one of A, B, found None",
        ]),
        ({"runtime": "Not A Name"}, [
            "executorConfig.runtime: expected a name of Kubernetes, found 'Not A Name'"
        ]),
    ],
    ids=["none", "all", "unknown", "no choice", "too small", "a boolean", "a text", "two", "a pattern"],
)  # fmt: skip
def test_every_fault_names_field_found_and_expected(given, faults):
    assert option_faults(OPTIONS, given) == faults


def test_an_option_has_its_default_or_is_left_out():
    assert option_values(OPTIONS, {"processes": 2}) == {"runtime": "torch", "processes": 2}


def test_a_workload_has_what_is_needed():
    assert workload_faults(WORKLOAD, needed=("image", "command")) == []
    assert workload_faults(None, needed=("image",)) == ["workload.image: expected the image of a container, found none"]
    assert workload_faults(None) == []


@pytest.mark.parametrize(
    ("variable", "fault"),
    [
        ({"value": "1"}, "workload.env[1].name: expected the name of a variable, found None"),
        ({"name": ""}, "workload.env[1].name: expected the name of a variable, found ''"),
        ({"name": "RANK"}, "workload.env[1].name: RANK is set by the controller of the job"),
    ],
    ids=["none", "empty", "reserved"],
)
def test_variables_have_names_that_are_free(variable, fault):
    workload = attrs.evolve(WORKLOAD, env=({"name": "FINE", "value": "1"}, variable))

    assert workload_faults(workload, reserved=("RANK",)) == [fault]

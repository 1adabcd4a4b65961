import pytest

from windlass.envtest.apiserver.builtin.pods import pod_faults, pod_update_faults

GOOD = {"containers": [{"name": "a", "image": "b"}]}


@pytest.mark.parametrize(
    ("qualified", "spec", "fields"),
    [
        ("pods", GOOD, []),
        ("pods", {"containers": [{"name": "a"}, {}]}, ["[0].image", "[1].name", "[1].image"]),
        ("deployments.apps", {"template": {"spec": {"containers": [{"name": "a"}]}}}, ["[0].image"]),
        ("jobs.batch", {"template": {"spec": GOOD}}, ["spec.restartPolicy"]),
        ("jobs.batch", {"template": {"spec": GOOD | {"restartPolicy": "Never"}}}, []),
        ("services", {"containers": [{}]}, []),
        ("pods", {"containers": "text"}, []),
        ("deployments.apps", {"template": "text"}, []),
    ],
)
def test_containers_have_names_and_images(qualified, spec, fields):
    found = [fault.field for fault in pod_faults(qualified, spec)]
    assert len(found) == len(fields)
    assert all(field.endswith(end) for field, end in zip(found, fields, strict=True))


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({}, []),
        ({"containers": [{"name": "a", "image": "c"}]}, []),
        ({"tolerations": [{"key": "k"}]}, []),
        ({"activeDeadlineSeconds": 5}, []),
        ({"containers": [*GOOD["containers"], {"name": "d", "image": "e"}]}, ["spec.containers"]),
        ({"containers": [{"name": "z", "image": "b"}]}, ["spec"]),
        ({"nodeName": "n"}, ["spec"]),
    ],
)
def test_of_a_pod_little_may_change(change, fields):
    found = pod_update_faults({"spec": GOOD | change}, {"spec": GOOD})
    assert [fault.field for fault in found] == fields

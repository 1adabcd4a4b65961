"""Addresses of kinds."""

import pytest

from windlass.informers import builtins
from windlass.informers.builtins import Deployment, Node, Pod
from windlass.informers.errors import UnregisteredKind
from windlass.informers.resources import Resource, resource_of
from windlass.informers.typed import CustomResource

JOBS = Resource("ai.windlass.dev", "v1alpha1", "TrainingJob", "trainingjobs")


@pytest.mark.parametrize(
    ("resource", "arguments", "path"),
    [
        (Pod, {}, "/api/v1/pods"),
        (Pod, {"namespace": ""}, "/api/v1/pods"),
        (Pod, {"namespace": "ns"}, "/api/v1/namespaces/ns/pods"),
        (Pod, {"namespace": "ns", "name": "a"}, "/api/v1/namespaces/ns/pods/a"),
        (Pod, {"namespace": "ns", "name": "a", "subresource": "status"}, "/api/v1/namespaces/ns/pods/a/status"),
        (Node, {"namespace": "ns", "name": "a"}, "/api/v1/nodes/a"),
        (Deployment, {"namespace": "ns"}, "/apis/apps/v1/namespaces/ns/deployments"),
        (JOBS, {"name": "system:x y/z"}, "/apis/ai.windlass.dev/v1alpha1/trainingjobs/system:x%20y%2Fz"),
    ],
)
def test_paths(resource, arguments, path):
    assert resource.path(**arguments) == path


def test_names_in_words():
    assert (str(Pod), str(JOBS)) == ("pods.v1", "trainingjobs.v1alpha1.ai.windlass.dev")
    assert (Pod.api_version, JOBS.api_version) == ("v1", "ai.windlass.dev/v1alpha1")


def test_a_class_that_names_its_resource_is_a_kind():
    class Job(CustomResource):
        __windlass_resource__ = JOBS

    class Special(Job):
        pass

    assert resource_of(JOBS) is JOBS
    assert resource_of(Job) is JOBS
    assert resource_of(Special) is JOBS


def test_one_that_does_not_is_refused_with_the_remedy():
    class Plain(CustomResource):
        pass

    with pytest.raises(UnregisteredKind, match=r"Plain is not registered as a kind: decorate the class with @kind"):
        resource_of(Plain)


def test_a_kind_can_be_optional_in_an_annotation():
    from windlass.informers.resources import Kind

    assert Kind | None


def test_every_built_in_is_exported():
    constants = {name for name, value in vars(builtins).items() if isinstance(value, Resource)}

    assert constants == set(builtins.__all__)

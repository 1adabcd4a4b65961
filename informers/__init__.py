"""What does the cluster look like right now? Requests, watch streams, stores, indexes and caches."""

from windlass.informers.api import Api
from windlass.informers.builtins import (
    ConfigMap,
    CustomResourceDefinition,
    Deployment,
    Event,
    Job,
    Lease,
    Namespace,
    Node,
    Pod,
    Secret,
    Service,
    ServiceAccount,
    StatefulSet,
)
from windlass.informers.cache import Cache
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.informers.errors import InformersError
from windlass.informers.informer import Informer
from windlass.informers.keys import Key
from windlass.informers.objects import Object
from windlass.informers.requests import PatchType
from windlass.informers.resources import Kind, Resource, resource_of
from windlass.informers.store import Added, Change, Deleted, Store, Updated
from windlass.informers.typed import CustomResource, JsonName, ObjectMeta, OwnerReference, structure, unstructure

__all__ = (
    "Added",
    "Api",
    "Cache",
    "Change",
    "Client",
    "Cluster",
    "ConfigMap",
    "CustomResource",
    "CustomResourceDefinition",
    "Deleted",
    "Deployment",
    "Event",
    "Informer",
    "InformersError",
    "Job",
    "JsonName",
    "Key",
    "Kind",
    "Lease",
    "Namespace",
    "Node",
    "Object",
    "ObjectMeta",
    "OwnerReference",
    "PatchType",
    "Pod",
    "Resource",
    "Secret",
    "Service",
    "ServiceAccount",
    "StatefulSet",
    "Store",
    "Updated",
    "resource_of",
    "structure",
    "unstructure",
)

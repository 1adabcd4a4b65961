"""The v2 protocol over gRPC: the same models, checks and errors as over HTTP, in the messages of `inference`.

Imported only when an endpoint is given a gRPC port: the library is an extra, `pip install 'windlass[grpc]'`.
"""

from windlass.serving.grpc.server import Address, GrpcServer
from windlass.serving.grpc.service import SERVICE, Service

__all__ = ("SERVICE", "Address", "GrpcServer", "Service")

"""HTTP/1.1 to one server, as an API server's client needs it: connections that are kept, and answers that are bytes.

A client for everybody pays for cookies, redirects, decompression and middlewares with every call. Here a call costs one
write, one read and one parse (`docs/explanation/decisions.md` has the figures). Parsing is httptools', TLS is the
standard library's.

Nothing in here knows Kubernetes.
"""

from windlass.informers.http.address import Address
from windlass.informers.http.connection import Connection
from windlass.informers.http.dialing import Dialer
from windlass.informers.http.pool import Pool
from windlass.informers.http.reasons import NoAnswer

__all__ = ("Address", "Connection", "Dialer", "NoAnswer", "Pool")

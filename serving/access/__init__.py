"""Who may ask the endpoint what: TLS, callers by token or certificate, and which web pages may read the answers."""

from windlass.serving.access.access import Access, Action, Presented
from windlass.serving.access.callers import Authenticator, Authorizer, Caller, Known
from windlass.serving.access.reviewed import Reviewed, Reviews
from windlass.serving.access.tls import ServerTls, TlsFiles
from windlass.serving.access.tokens import TokenFile

__all__ = (
    "Access",
    "Action",
    "Authenticator",
    "Authorizer",
    "Caller",
    "Known",
    "Presented",
    "Reviewed",
    "Reviews",
    "ServerTls",
    "TlsFiles",
    "TokenFile",
)

"""What each component of a control plane is told on its command line, and the folder, ports and secrets they share.

Nothing is started here, and nothing is known about when a component is ready.
"""

import secrets
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path

import attrs

from windlass.envtest.controlplane.undertaker import Undertaker

__all__ = (
    "HOST",
    "Place",
    "User",
    "apiserver_flags",
    "controller_manager_flags",
    "etcd_flags",
    "free_port",
    "scheduler_flags",
)

HOST = "127.0.0.1"


@attrs.frozen
class User:
    """Somebody whom the API server shall know beside the administrator; RBAC decides what he may do."""

    name: str = attrs.field(validator=attrs.validators.matches_re(r'[^\n,"]+'))
    groups: tuple[str, ...] = attrs.field(
        default=(),
        converter=tuple,
        validator=attrs.validators.deep_iterable(attrs.validators.matches_re(r'[^\n,"]+')),
    )


@attrs.frozen
class Place:
    """Where one control plane lives: made at its start, gone at its stop."""

    folder: Path
    apiserver_port: int
    controller_manager_port: int
    token: str
    user_tokens: dict[str, str]
    _undertaker: Undertaker
    # Bound and never listening, so that nobody else gets the ports while a component is not there; the components share
    # them (SO_REUSEPORT). A restarted API server therefore keeps its address.
    _reserved: tuple[socket.socket, ...] = attrs.field(repr=False)

    @classmethod
    def make(cls, users: Sequence[User] = ()) -> "Place":
        """A new temporary folder that only the owner can read, two ports, and a token for each user."""
        apiserver, controller_manager = (_bound(shared=True) for _ in range(2))
        folder = Path(tempfile.mkdtemp(prefix="windlass-controlplane-"))
        place = cls(
            folder=folder,
            apiserver_port=apiserver.getsockname()[1],
            controller_manager_port=controller_manager.getsockname()[1],
            token=secrets.token_hex(16),
            user_tokens={user.name: secrets.token_hex(16) for user in users},
            undertaker=Undertaker.wait_for(folder),
            reserved=(apiserver, controller_manager),
        )
        lines = [f"{place.token},admin,admin,system:masters"]
        for user in users:
            groups = ",".join(user.groups)
            lines.append(f'{place.user_tokens[user.name]},{user.name},{user.name},"{groups}"')
        place.tokens.write_text("\n".join(lines) + "\n")
        return place

    def discard(self) -> None:
        """Give the ports back and remove the folder with all the cluster's data."""
        for one in self._reserved:
            one.close()
        self._undertaker.bury()

    @property
    def url(self) -> str:
        """The API server's address."""
        return f"https://{HOST}:{self.apiserver_port}"

    @property
    def tokens(self) -> Path:
        """The file from which the API server knows its users."""
        return self.folder / "tokens.csv"

    @property
    def apiserver_certificate(self) -> Path:
        """The API server's certificate and the authority that signed it, written by itself at its first start."""
        return self.folder / "kube-apiserver" / "apiserver.crt"

    @property
    def apiserver_key(self) -> Path:
        """The certificate's key, which also signs service account tokens: one RSA key less to make."""
        return self.apiserver_certificate.with_suffix(".key")

    @property
    def controller_manager_url(self) -> str:
        """Where the controller manager answers /healthz."""
        return f"https://{HOST}:{self.controller_manager_port}"

    @property
    def controller_manager_certificate(self) -> Path:
        """The controller manager's self-signed certificate, written by itself when it starts."""
        return self.folder / "kube-controller-manager" / "kube-controller-manager.crt"


def free_port() -> int:
    """A port that was free a moment ago; somebody else may take it at any time."""
    with _bound(shared=False) as one:
        return int(one.getsockname()[1])


def _bound(*, shared: bool) -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if shared:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    one.bind((HOST, 0))
    return one


def etcd_flags(place: Place, url: str) -> tuple[str, ...]:
    """`url` is where etcd shall listen: etcd 3.4 cannot share a port, so it is chosen anew at each attempt."""
    return (
        f"--data-dir={place.folder / 'etcd'}",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        f"--listen-peer-urls=http://{HOST}:0",
    )


def apiserver_flags(place: Place, etcd_url: str) -> tuple[str, ...]:
    """An API server with RBAC, one administrator known by token, and a certificate that it makes itself."""
    return (
        f"--etcd-servers={etcd_url}",
        f"--bind-address={HOST}",
        f"--advertise-address={HOST}",
        f"--secure-port={place.apiserver_port}",
        "--permit-port-sharing=true",
        f"--cert-dir={place.apiserver_certificate.parent}",
        f"--token-auth-file={place.tokens}",
        "--authorization-mode=RBAC",
        f"--service-account-issuer={place.url}",
        f"--service-account-signing-key-file={place.apiserver_key}",
        f"--service-account-key-file={place.apiserver_key}",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--disable-admission-plugins=ServiceAccount",  # else a Pod waits for an account that nobody makes
        "--endpoint-reconciler-type=none",  # an endpoint of the service `kubernetes` must not be on loopback
    )


def controller_manager_flags(place: Place, kubeconfig: Path, *, minor: int) -> tuple[str, ...]:
    """All of the usual controllers, without leader election. `minor` is the minor version of Kubernetes."""
    return (
        f"--kubeconfig={kubeconfig}",
        f"--bind-address={HOST}",
        f"--secure-port={place.controller_manager_port}",
        "--permit-port-sharing=true",
        f"--cert-dir={place.controller_manager_certificate.parent}",
        f"--service-account-private-key-file={place.apiserver_key}",
        f"--root-ca-file={place.apiserver_certificate}",
        "--leader-elect=false",
        # Before 1.24 there was also a port without TLS, open to all by default; since then the flag is refused.
        *(("--port=0",) if minor < 24 else ()),
    )


def scheduler_flags(kubeconfig: Path, *, minor: int) -> tuple[str, ...]:
    """A scheduler without leader election that listens on no port. `minor` is the minor version of Kubernetes."""
    insecure = ("--port=0",) if minor < 24 else ()  # as of the controller manager
    return (f"--kubeconfig={kubeconfig}", "--leader-elect=false", "--secure-port=0", *insecure)

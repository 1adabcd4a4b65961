"""A cluster is everything needed to reach one API server: its address, how to trust it, how to be trusted.

kubernetes-asyncio reads the configuration. It is imported inside the functions, when there is one to read.
"""

import asyncio
import atexit
import os
import ssl
import sys
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from windlass.informers.configuration import configuration_module
from windlass.informers.credentials import Anonymous, Credentials, ExecPlugin, StaticHeader, TokenFile, token_fault
from windlass.informers.errors import ConfigError
from windlass.informers.wire import Wire

if TYPE_CHECKING:
    from kubernetes_asyncio.config.exec_provider import ExecProvider

__all__ = ("Cluster",)

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
COMPLAINTS_MAX = 1000  # characters of what a failed plugin has said; the end tells most


class _Credential(msgspec.Struct, rename="camel"):
    api_version: str
    status: dict[str, Any]


_CREDENTIAL = msgspec.json.Decoder(_Credential)


@attrs.frozen
class Cluster:
    """One API server. `server` is its URL without a trailing slash; `namespace` is the context's, "" when unnamed.

    `wire` is what tests put between its clients and the server (`windlass.envtest.kit.faults`).
    """

    server: str
    credentials: Credentials = attrs.field(factory=Anonymous)
    ca_file: str | None = None
    verify: bool = True
    tls_server_name: str | None = None
    certificate: tuple[str, str] | None = None
    proxy: str | None = None
    namespace: str = ""
    wire: Wire | None = attrs.field(default=None, repr=False)

    @classmethod
    async def load(cls, kubeconfig: Path | None = None, context: str | None = None) -> "Cluster":
        """The given kubeconfig, else $KUBECONFIG (a list is merged), else ~/.kube/config, else the pod's own account.

        Raises ConfigError, naming the files that were looked for.
        """
        if kubeconfig is not None:
            paths = [kubeconfig]
        elif os.environ.get("KUBECONFIG"):
            paths = [Path(part) for part in os.environ["KUBECONFIG"].split(os.pathsep) if part]
        else:
            paths = [Path("~/.kube/config")]
        present = [path.expanduser() for path in paths if path.expanduser().is_file()]
        if present:
            return await _from_files(present, context)
        if kubeconfig is None and os.environ.get("KUBERNETES_SERVICE_HOST"):
            return cls.in_cluster()
        looked = ", ".join(str(path) for path in paths)
        raise ConfigError(f"no cluster is configured: {looked} does not exist, and this is not a pod of a cluster")

    @classmethod
    def in_cluster(cls, folder: Path = SERVICE_ACCOUNT) -> "Cluster":
        """The cluster that this process is a pod of. Raises ConfigError when it is not one."""
        configuration = configuration_module("client").Configuration()
        library = configuration_module("config")
        try:
            library.load_incluster_config(
                configuration, token_filename=str(folder / "token"), cert_filename=str(folder / "ca.crt")
            )
        except (library.ConfigException, OSError) as error:
            raise ConfigError(f"the pod's service account: {error}") from error
        namespace = folder / "namespace"
        return cls(
            server=configuration.host,
            credentials=TokenFile(folder / "token"),
            ca_file=configuration.ssl_ca_cert,
            namespace=namespace.read_text("utf-8").strip() if namespace.is_file() else "",
        )

    @classmethod
    def from_dict(cls, config: Mapping[str, Any], context: str | None = None) -> "Cluster":
        """The cluster of a kubeconfig that is already a dict. Raises ConfigError, naming the entry."""
        return _at_once(_from_loader(_loader_of(config, context), context))

    def ssl_context(self) -> ssl.SSLContext | None:
        """A fresh TLS context for this cluster; None for plain HTTP. Raises ConfigError for unusable files."""
        if not self.server.lower().startswith("https:"):
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if not self.verify:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            certificate = self.credentials.certificate or self.certificate
            if certificate is not None:
                context.load_cert_chain(*certificate)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"TLS for {self.server}: {error}") from error
        return context

    def __repr__(self) -> str:
        return f"<Cluster {self.server}>"


async def _from_files(paths: list[Path], context: str | None) -> Cluster:
    library = configuration_module("config.kube_config")

    def read() -> Any:
        merged = library.KubeConfigMerger(os.pathsep.join(str(path) for path in paths)).config
        return library.KubeConfigLoader(config_dict=merged, config_base_path=None, active_context=context)

    name = os.pathsep.join(str(path) for path in paths)
    return await _from_loader(lambda: asyncio.to_thread(read), context, name)


def _loader_of(config: Mapping[str, Any], context: str | None) -> Callable[[], Awaitable[Any]]:
    async def load() -> Any:
        library = configuration_module("config.kube_config")
        return library.KubeConfigLoader(config_dict=dict(config), config_base_path="", active_context=context)

    return load


async def _from_loader(load: Callable[[], Awaitable[Any]], context: str | None, name: str = "kubeconfig") -> Cluster:
    configuration = configuration_module("client").Configuration(host="")
    where = f"{name}, context {context}" if context else name
    try:
        loader = await load()
        server = _plain(loader._cluster).get("server")
        if not server:
            raise ConfigError(f"{where}: the cluster names no server")
        if not isinstance(server, str):
            raise ConfigError(f"{where}: cluster.server: expected a URL as text, found {server!r}")
        user = _plain(loader._user)  # no public way to ask what the context's user is
        token = user.get("token")
        fault = token_fault(token) if token else None
        if fault:
            raise ConfigError(f"{where}: user.token: {fault}")
        plugin = _plugin(loader) if "exec" in user else None
        if plugin is not None or loader._user is None:
            # The plugin is ours to run, again and again; the loader would run it once, now, and keep the answer.
            loader._user = type(loader._cluster)("user", {k: v for k, v in user.items() if k != "exec"})
        await loader.load_and_set(configuration)
        namespace = _plain(loader.current_context).get("context", {}).get("namespace", "")
    except ConfigError:
        raise
    except (TypeError, AttributeError) as error:  # what the loader makes of a list, a text or an empty file
        raise ConfigError(f"{where}: this is not a kubeconfig: expected a YAML mapping") from error
    except Exception as error:  # the loader raises anything, from AssertionError to yaml's own
        raise ConfigError(f"{where}: {str(error) or type(error).__name__}") from error
    header = configuration.api_key.get("BearerToken")
    return Cluster(
        server=configuration.host,
        credentials=plugin or _credentials(loader, user, header),
        ca_file=configuration.ssl_ca_cert,
        verify=configuration.verify_ssl,
        tls_server_name=getattr(configuration, "tls_server_name", None),
        certificate=(configuration.cert_file, configuration.key_file) if configuration.cert_file else None,
        proxy=configuration.proxy,
        namespace=namespace or "",
    )


def _plain(node: Any) -> dict[str, Any]:
    value = getattr(node, "value", node)
    return value if isinstance(value, dict) else {}


def _credentials(loader: Any, user: Mapping[str, Any], header: str | None) -> Credentials:
    if header is None:
        return Anonymous()
    if user.get("tokenFile") and not user.get("token"):
        return TokenFile(Path(loader._get_base_path(loader._user.path), user["tokenFile"]))
    return StaticHeader(header.strip())


def _plugin(loader: Any) -> ExecPlugin:
    provider = configuration_module("config.exec_provider").ExecProvider(loader._user["exec"])
    return ExecPlugin(lambda: _run(provider), _store)


async def _run(provider: "ExecProvider") -> Mapping[str, Any]:
    """The status of the plugin's answer; the provider knows what to run.

    Its own `run` reads one output to its end before the other, so a plugin with much to complain of would wait for
    ever, and one that is given up would live on.
    """
    name = f"exec plugin {provider.args[0]}"
    spec = {"interactive": sys.stdout.isatty()}
    question = {"apiVersion": provider.api_version, "kind": "ExecCredential", "spec": spec}
    environment = {**provider.env, "KUBERNETES_EXEC_INFO": msgspec.json.encode(question).decode()}
    process = await asyncio.create_subprocess_exec(
        *provider.args, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        output, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        said = complaints.decode(errors="replace").strip()[-COMPLAINTS_MAX:]
        raise ConfigError(f"{name}: returned {process.returncode}: {said}")
    try:
        credential = _CREDENTIAL.decode(output)
    except msgspec.DecodeError as error:
        raise ConfigError(
            f"{name}: expected an ExecCredential with a status, found {output[:80]!r}: {error}"
        ) from error
    if credential.api_version != provider.api_version:
        raise ConfigError(f"{name}: answers in {credential.api_version}, expected {provider.api_version}")
    return credential.status


def _store(text: str) -> str:
    with tempfile.NamedTemporaryFile("w", prefix="windlass-", suffix=".pem", delete=False) as file:
        file.write(text)
    atexit.register(Path(file.name).unlink, missing_ok=True)  # a private key must not outlive the process
    return file.name


def _at_once(coroutine: Coroutine[Any, Any, Cluster]) -> Cluster:
    """The result of a coroutine that has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]  # the coroutine's own return type
    finally:
        coroutine.close()
    raise ConfigError("kubeconfig: this user's credentials need the network; use `await Cluster.load(path)`")

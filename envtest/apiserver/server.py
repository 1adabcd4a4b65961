"""The server as a whole: it owns the store, the socket and the tasks, and ends all of it within two seconds.

Construction does nothing but remember; `start` opens the file, binds the socket and begins, `stop` undoes that in
reverse order.
"""

import asyncio
import os
import random
import secrets
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import attrs
import yaml
from aiohttp import web

from windlass.envtest.apiserver.access.accounts import Accounts
from windlass.envtest.apiserver.access.authentication import Authenticator
from windlass.envtest.apiserver.access.authorization import Authorizer
from windlass.envtest.apiserver.access.defaultroles import default_roles
from windlass.envtest.apiserver.access.escalation import Escalation
from windlass.envtest.apiserver.access.gate import Gate
from windlass.envtest.apiserver.access.keeping import kept_token
from windlass.envtest.apiserver.builtin.accesskinds import ACCESS_KINDS
from windlass.envtest.apiserver.builtin.builtins import SYSTEM_NAMESPACES
from windlass.envtest.apiserver.collector.definitions import Definitions
from windlass.envtest.apiserver.collector.housekeeping import Housekeeping
from windlass.envtest.apiserver.errors import ServerError
from windlass.envtest.apiserver.extension.calling import Caller
from windlass.envtest.apiserver.http.handlers import BODY_MAX, Handlers, Surroundings
from windlass.envtest.apiserver.identity import ADMINISTRATOR, ANONYMOUS, User
from windlass.envtest.apiserver.kinds import BUILT_IN, Registry
from windlass.envtest.apiserver.store.storage import Database, Key, Store
from windlass.envtest.apiserver.store.watchcache import WatchCache
from windlass.envtest.apiserver.verbs.operations import Operations
from windlass.envtest.apiserver.verbs.targets import Target, WriteOptions
from windlass.envtest.apiserver.verbs.watching import WatchTimes

__all__ = ("ApiServer", "Settings")

CHECKPOINT_SECONDS = 1.0  # between looks at the size of the log
_WITHOUT_TOKEN: dict[str, User | None] = {"administrator": ADMINISTRATOR, "anonymous": ANONYMOUS, "refused": None}


def _wall_clock() -> datetime:
    return datetime.now(UTC)


@attrs.frozen
class Settings:
    """What tests may want otherwise: `history_max` changes a resource, `pending_max` changes a watch (W-08, W-12).

    `users` are known from the start, by their tokens. `authorization` False allows everything to whoever gets in.
    `without_token` says who a request without a token is from: `administrator`, because kubectl sends its token over
    TLS only; `anonymous`, who may see little more than whether the server is healthy; `refused` answers 401. Raises
    ValueError for another word.
    """

    times: WatchTimes = attrs.field(factory=WatchTimes)
    history_max: int = 10_000
    pending_max: int = 10_000
    clock: Callable[[], datetime] = _wall_clock
    rng: random.Random = attrs.field(factory=random.SystemRandom)
    users: Mapping[str, User] = attrs.field(factory=dict, repr=False)
    authorization: bool = True
    without_token: str = attrs.field(default="administrator", validator=attrs.validators.in_(_WITHOUT_TOKEN))
    middlewares: tuple[Any, ...] = ()  # of aiohttp, around every request: the place for injected faults


class ApiServer:
    """An API server on a loopback address.

    `database` None keeps everything in memory; a path is an SQLite file that survives `kill -9` at any moment. `port`
    0 takes a free one. `token` is the administrator's: empty means a random one, None takes every token for his. Else a
    wrong token is refused (401). With a database a random one is that of the last time, from `start` on. Other users
    have the tokens of `Settings.users` and `add_user`, and are allowed what the roles say. Raises `ServerError` from
    `start` when the address is occupied or a file cannot be used.
    """

    def __init__(
        self,
        database: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str | None = "",
        *,
        settings: Settings | None = None,
    ) -> None:
        self._database_path = database
        self._host = host
        self._port = port
        self._keeps_token = token == "" and database is not None
        self._token = secrets.token_urlsafe(24) if token == "" else token or ""
        self._settings = settings if settings is not None else Settings()
        self._users = dict(self._settings.users)
        self._running: _Running | None = None

    def __repr__(self) -> str:
        return f"<ApiServer {self.url if self._running else 'stopped'}>"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """`http://HOST:PORT`; raises `ServerError` before the start."""
        if self._running is None:
            raise ServerError("the API server has no address before it is started")
        return f"http://{self._host}:{self._running.port}"

    @property
    def token(self) -> str:
        """The bearer token; empty if none is asked for."""
        return self._token

    def add_user(self, name: str, groups: Iterable[str] = ()) -> str:
        """The token of a new user, good for as long as this object lives; what the user may do is for roles to say.

        Raises `ServerError` for an empty name and for one with `system:` in front, which the server gives out itself.
        """
        if not name or name.startswith("system:"):
            raise ServerError(f"a user needs a name that does not begin with 'system:', not {name!r}")
        token = secrets.token_urlsafe(24)
        self._users[token] = User.authenticated(name, tuple(groups), uid=name)
        return token

    def kubeconfig(self, *, token: str = "") -> dict[str, Any]:
        """A complete kubeconfig for this server: for the holder of a token, by default for the administrator."""
        token = token or self._token
        user = {"token": token} if token else {}
        context = {"cluster": "windlass", "user": "windlass", "namespace": "default"}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "windlass", "cluster": {"server": self.url}}],
            "users": [{"name": "windlass", "user": user}],
            "contexts": [{"name": "windlass", "context": context}],
            "current-context": "windlass",
            "preferences": {},
        }

    def write_kubeconfig(self, path: Path) -> None:
        """Write the kubeconfig with mode 0600, whole or not at all."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w") as file:  # mkstemp made it 0600
                yaml.safe_dump(self.kubeconfig(), file, sort_keys=False)
            os.replace(temporary, path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise

    def compact(self) -> None:
        """Forget all history: watches and pages from before this moment expire (W-04, L-03)."""
        if self._running is None:
            raise ServerError("the API server has no history before it is started")
        self._running.cache.compact(self._running.store.revision)

    async def start(self) -> None:
        """Open the database, bind, serve; raises `ServerError`."""
        if self._running is not None:
            raise ServerError(f"the API server already runs at {self.url}")
        database = Database(self._database_path) if self._database_path is not None else None
        try:
            if self._keeps_token and self._database_path is not None:
                self._token = kept_token(self._database_path, self._token)
            if self._token:
                self._users[self._token] = ADMINISTRATOR
            known = _Known(self._users, anybody=not self._token)
            self._running = await _run(database, (self._host, self._port), known, settings=self._settings)
        except BaseException:
            if database is not None:
                database.close()
            raise

    async def stop(self) -> None:
        """End watches, requests and tasks, close the file. Stopping a stopped server does nothing."""
        running, self._running = self._running, None
        if running is not None:
            await running.stop()


@attrs.frozen
class _Running:
    port: int
    runner: web.AppRunner
    handlers: Handlers
    store: Store
    cache: WatchCache
    tasks: tuple[asyncio.Task[None], ...]
    database: Database | None
    caller: Caller

    async def stop(self) -> None:
        self.handlers.close()
        try:
            await self.runner.cleanup()
        finally:
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)
            await self.caller.close()
            if self.database is not None:
                self.database.close()


@attrs.frozen
class _Known:
    """The users by their tokens; `anybody` takes every other token for the administrator's."""

    users: Mapping[str, User] = attrs.field(repr=False)
    anybody: bool


async def _run(database: Database | None, address: tuple[str, int], known: _Known, *, settings: Settings) -> _Running:
    store = Store(database)
    cache = WatchCache(store.oldest, history_max=settings.history_max, pending_max=settings.pending_max)
    operations = Operations(store, Registry((*BUILT_IN, *ACCESS_KINDS)), clock=settings.clock, rng=settings.rng)
    definitions = Definitions(operations, cache)
    caller = Caller(partial(_service, store))
    housekeeping = Housekeeping(operations, caller)
    # The order is deliberate: watches hear of a change before what it causes.
    authorizer = Authorizer(store, enabled=settings.authorization)
    store.listeners += [authorizer.observe, cache.record, housekeeping.observe, definitions.observe]
    definitions.resume()
    _create_first(operations)
    operations.escalation = Escalation(authorizer)
    accounts = Accounts(store, secrets.token_bytes(32), settings.clock)
    without_token = _WITHOUT_TOKEN[settings.without_token]
    gate = Gate(Authenticator(known.users, accounts, without_token, known.anybody), authorizer)
    around = Surroundings(gate, accounts, settings.times, settings.clock, settings.rng, caller, address[0])
    handlers = Handlers(operations, cache, around)
    runner, port = await _bind(handlers, address, settings)
    tasks = [asyncio.create_task(housekeeping.run(), name="apiserver housekeeping")]
    housekeeping.start()
    if database is not None:
        tasks.append(asyncio.create_task(_checkpoints(database), name="apiserver checkpoints"))
    return _Running(port, runner, handlers, store, cache, tuple(tasks), database, caller)


def _service(store: Store, namespace: str, name: str) -> dict[str, Any] | None:
    stored = store.get(Key("services", namespace, name))
    return stored.obj if stored is not None else None


async def _bind(handlers: Handlers, address: tuple[str, int], settings: Settings) -> tuple[web.AppRunner, int]:
    host, port = address
    application = web.Application(client_max_size=BODY_MAX, middlewares=settings.middlewares)
    application.router.add_route("*", "/{path:.*}", handlers.handle)
    runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise ServerError(f"the API server cannot listen on {host}:{port}: {error.strerror or error}") from error
    return runner, runner.addresses[0][1]


def _create_first(operations: Operations) -> None:
    """The objects that are there in every cluster: its namespaces, and the roles that everything else is built on."""
    namespaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in SYSTEM_NAMESPACES]
    for body in (*namespaces, *default_roles()):
        resource = operations.registry.of_kind(body["apiVersion"], body["kind"])
        if resource is None:
            raise ServerError(f"the built-in kinds lack {body['kind']}")
        if operations.store.get(Key(resource.qualified, "", body["metadata"]["name"])) is None:
            operations.create(Target(resource), body, WriteOptions(manager="kube-apiserver"))


async def _checkpoints(database: Database) -> None:
    while True:
        await asyncio.sleep(CHECKPOINT_SECONDS)
        if database.checkpoint_due():
            await asyncio.to_thread(database.checkpoint)

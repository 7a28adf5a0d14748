"""
The server: gunicorn's arbiter over aiohttp's uvloop worker, and an orderly end.

On SIGTERM a worker first answers /readyz with 503 while it still listens, so that a load balancer
turns away from it; then it stops listening, finishes the requests under way, and exits with 0.
"""

import asyncio
import contextlib
import errno
import os
import resource
import socket
import sys
import tempfile
import time
from math import ceil
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
from aiohttp import web
from aiohttp.worker import GunicornUVLoopWebWorker
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from api import docs_pages, doctor, logs, migrate
from api.app import create_app
from api.calls import SERVICES, Lifecycle
from api.failure import Failure
from api.metrics import forget_worker
from api.settings import Settings

NOTICE_SECONDS = 1.0  # how long /readyz says 503 before the listener closes
START_SECONDS = 0.5  # in which the request of a connection just accepted is read
DRAIN_SECONDS = 10.0
KEEPALIVE_SECONDS = 75  # also the longest that a request's head may take
UNREAD_SECONDS = 60  # how long a client may leave an answer unread
BACKLOG = 2048
CHECK_SECONDS = 5.0


def serve(settings: Settings, listener: socket.socket | None = None) -> int:
    """
    Serve until told to stop, and return the exit status: 0 after an orderly end.

    `listener` is what `listen` made, where the caller had to know early that the port is free.
    Does not return in the worker processes.
    Errors: Failure when it cannot start (URL unusable, database away, role unfit, schema not this
    build's, port taken, docs package missing).
    """
    if settings.database_url is None:
        raise ValueError("serve needs a database_url")
    if settings.docs_enabled:
        docs_pages.assets()
    logs.configure(level=settings.log_level, environment=settings.environment)
    _allow_connections()
    if reasons := asyncio.run(_role_faults(settings.database_url)):
        raise Failure(
            f"the database role must not serve: {'; '.join(reasons)}: "
            "let SAAS_API_DATABASE_URL name saas_api"
        )
    _refuse_other_schema(settings.database_url)
    listener = listener or listen(settings.host, settings.port)
    try:
        directory = tempfile.TemporaryDirectory(prefix="saas-api-metrics-")
    except OSError as error:
        raise Failure(
            f"no place for the workers' metrics: set TMPDIR ({error.strerror})"
        ) from error
    with directory:
        return _run(_Server(settings, listener, Path(directory.name)))


def _run(server: "_Server") -> int:
    """gunicorn until its end. A worker ends here: what follows in the callers is the master's."""
    master = os.getpid()
    try:
        server.run()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if os.getpid() != master:  # pragma: no cover: a frame from before the fork is not measured
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
        return status
    return 0


async def _role_faults(url: str) -> list[str]:
    """
    Why the role must not serve; nothing if it may.

    Errors: Failure when the URL is unusable, or the database away.
    """
    try:
        connection = await asyncpg.connect(url, timeout=CHECK_SECONDS, statement_cache_size=0)
        try:
            return [row[0] for row in await connection.fetch(doctor.ROLE_FAULTS)]
        finally:
            await connection.close(timeout=CHECK_SECONDS)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = error.args[0] if isinstance(error, asyncpg.InterfaceError) else error
        raise Failure(
            f"cannot connect with SAAS_API_DATABASE_URL: {reason or type(error).__name__}"
        ) from error
    except ValueError:  # whose text may hold a part of the URL
        raise Failure(
            "SAAS_API_DATABASE_URL is no URL: write postgresql://role:password@host:5432/database"
        ) from None


def _refuse_other_schema(url: str) -> None:
    expected = migrate.expected_version()
    try:
        current = migrate.current_version(url)
    except migrate.Unreadable as error:
        raise Failure(
            f"the database's schema version: {error}: let SAAS_API_DATABASE_URL name saas_api, "
            "and run saas-api migrate"
        ) from None
    if current != expected:
        raise Failure(
            f"the database is at schema {current or 'none'}, this build needs {expected}: "
            "run saas-api migrate"
        )


def _allow_connections() -> None:
    """As many open files as the system allows: each connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS allows less than it says
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def listen(host: str, port: int) -> socket.socket:
    """
    A listening socket, bound here so that a port that is taken is said in one line.

    Errors: Failure that names the setting to be changed.
    """
    try:
        return _listen(host, port)
    except OSError as error:
        place = f"cannot listen on {host}:{port} ({error.strerror or error})"
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise Failure(f"{place}: set SAAS_API_HOST or --host to an address of here") from None
        raise Failure(f"{place}: set SAAS_API_PORT or --port to a free one") from None


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(
            socket, "TCP_USER_TIMEOUT"
        ):  # pragma: no branch: Linux; its connections inherit it
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_SECONDS * 1000)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


class _Server(BaseApplication):  # type: ignore[misc]
    """gunicorn's application object: its configuration, and the runner each worker makes."""

    def __init__(self, settings: Settings, listener: socket.socket, metrics: Path) -> None:
        self.settings = settings
        self.metrics = metrics  # where the workers share their figures
        self.address = listener.getsockname()[:2]
        self.descriptor = listener.detach()  # gunicorn's from here on
        self.listeners: list[socket.socket] = []  # the worker's
        self.lifecycle: Lifecycle | None = None
        super().__init__(prog="saas-api")

    def load_config(self) -> None:
        options = {
            "bind": f"fd://{self.descriptor}",
            "workers": self.settings.workers,
            "worker_class": _Worker,
            "logger_class": _JsonLogger,
            "loglevel": self.settings.log_level.lower(),
            "keepalive": KEEPALIVE_SECONDS,
            "graceful_timeout": ceil(NOTICE_SECONDS + DRAIN_SECONDS + 2),
            "control_socket_disable": True,
            "proc_name": "saas-api",
            "when_ready": self._announce,
            "child_exit": self._forget,
        }
        for name, value in options.items():
            if (
                name in self.cfg.settings
            ):  # pragma: no branch: older gunicorns have no control socket
                self.cfg.set(name, value)

    def load(self) -> Any:
        """What aiohttp's worker calls in its own process and event loop."""
        return self._make_runner

    async def _make_runner(self) -> web.AppRunner:
        app = create_app(self.settings, metrics_directory=self.metrics)
        self.lifecycle = app[SERVICES].lifecycle
        return _Runner(
            app,
            self.listeners,
            access_log=None,
            keepalive_timeout=KEEPALIVE_SECONDS,
            shutdown_timeout=1.0,
        )

    def _forget(self, _arbiter: object, worker: Any) -> None:
        forget_worker(worker.pid, self.metrics)

    def _announce(self, _arbiter: object) -> None:
        host, port = self.address
        if host in ("0.0.0.0", "::"):  # noqa: S104
            host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        sys.stderr.write(
            f"saas-api {self.settings.app_version} listens on {url}\nTry: curl -s {url}/healthz\n"
        )
        sys.stderr.flush()


def _accept_all(listener: socket.socket) -> list[socket.socket]:
    """The connections that wait in the backlog of a socket that does not block."""
    accepted = []
    with contextlib.suppress(OSError):  # none is left
        while True:
            accepted.append(listener.accept()[0])
    return accepted


class _Runner(web.AppRunner):
    """An AppRunner whose end waits for the requests under way, uploads included."""

    def __init__(
        self, app: web.Application, listeners: list[socket.socket], **options: Any
    ) -> None:
        super().__init__(app, **options)
        self.listeners = listeners

    async def cleanup(self) -> None:
        lifecycle = self.app[SERVICES].lifecycle
        lifecycle.draining = True
        # The kernel resets what waits in the backlog of a socket that is closed. No turn of the
        # loop comes between, so that hardly any connection does.
        waiting = [accepted for listener in self.listeners for accepted in _accept_all(listener)]
        for site in list(self.sites):
            await site.stop()
        loop = asyncio.get_running_loop()
        for accepted in waiting:
            await loop.connect_accepted_socket(self.server, accepted)  # type: ignore[arg-type]
        deadline = time.monotonic() + DRAIN_SECONDS
        await asyncio.sleep(START_SECONDS)  # what was accepted already starts
        # Polled here, so that no request has to signal its end while nobody waits for it.
        while lifecycle.in_flight and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        await super().cleanup()


class _Worker(GunicornUVLoopWebWorker):
    """aiohttp's worker, which gives notice before it goes."""

    sockets: list[Any]

    def run(self) -> None:
        """Serve. uvloop closes a plain socket in order, and gunicorn's wrapping of one twice."""
        self.sockets = self.app.listeners = [wrapped.sock for wrapped in self.sockets]
        super().run()

    def notify(self) -> None:
        """Once a second. aiohttp listens anew, with a backlog of 128 of its own."""
        super().notify()
        for listener in self.sockets:
            listener.listen(BACKLOG)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: not ready from now on, gone after the notice."""
        lifecycle: Lifecycle | None = self.app.lifecycle
        if lifecycle is None:  # still starting
            self.handle_quit(sig, frame)
        elif not lifecycle.draining:
            lifecycle.draining = True
            self.loop.call_later(NOTICE_SECONDS, self.handle_quit, sig, frame)


class _JsonLogger(Logger):  # type: ignore[misc]
    """gunicorn's own messages, through `logging` like everything else."""

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        self.loglevel = self.error_log.level
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        self._access_log_enabled = False

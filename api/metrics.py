"""
What Prometheus scrapes: the families, how they are counted, and their text.

Each worker writes its figures into files of a directory that `saas-api serve` makes for its run,
and whichever is scraped adds up all of them. An application that is given no directory, as in
tests, keeps them in memory. Labels take their values from fixed sets (methods, route templates,
statuses, outcomes), so no client can make new series; docs/reference/metrics.md lists them.
"""

import asyncio
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Literal

import asyncpg  # type: ignore[import-untyped]
import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from api.database import PoolExhausted
from api.problems import KEY_REUSED, Problem, Unavailable

CONTENT_TYPE: Final = prometheus_client.CONTENT_TYPE_PLAIN_0_0_4
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER: Final = "other"  # a method or an SQLSTATE class not among the known ones
UNMATCHED: Final = "unmatched"  # no route has this path, or none with this method
POOL: Final = "pool"  # no connection became free in time: the database was not even asked
AWAY: Final = "08"  # connection exception
COUNT: Final = re.compile("[0-9]{1,15}")
FAILURES: Final = ("500", "503")  # shown as 0 before the first, so that its increase is seen
OUTCOMES: Final = ("success", "failure", "throttled")
POOL_STATES: Final = ("idle", "busy")
SQLSTATE_CLASSES: Final = frozenset(
    {AWAY, "22", "23", "25", "28", "40", "42", "53", "54", "55", "57", "58", "SA", "XX"}
)
SECONDS: Final = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """
    The families of one application. `endpoints` are the (method, route template) it serves.

    `directory`: where the workers of one server share their figures; None keeps them in memory.
    With a directory it must be the process's only `Metrics`, made in the worker itself.
    """

    def __init__(
        self, endpoints: Iterable[tuple[str, str]] = (), *, directory: Path | None = None
    ) -> None:
        self._registry = CollectorRegistry()
        self._files: dict[str, MmapedDict] = {}
        own = None
        if directory is None:
            own = self._registry
        else:
            values.ValueClass = _shared_value(directory, self._files)
            MultiProcessCollector(self._registry, path=str(directory))  # type: ignore[no-untyped-call]
        self._requests = Counter(
            "saas_api_requests_total",
            "Requests answered.",
            ("method", "route", "status"),
            registry=own,
        )
        self._durations = Histogram(
            "saas_api_request_duration_seconds",
            "Time from a request's head to its answer, in seconds.",
            ("method", "route"),
            registry=own,
            buckets=SECONDS,
        )
        self._auth_attempts = Counter(
            "saas_api_auth_attempts_total",
            "Logins by outcome: success, failure (email or password wrong), throttled (429).",
            ("outcome",),
            registry=own,
        )
        self.organisations_created = Counter(
            "saas_api_organisations_created_total",
            "Organisations created; idempotent replays do not count.",
            registry=own,
        )
        self.projects_created = Counter(
            "saas_api_projects_created_total",
            "Projects created; idempotent replays do not count.",
            registry=own,
        )
        self.api_keys_created = Counter(
            "saas_api_api_keys_created_total",
            "API keys created; idempotent replays do not count.",
            registry=own,
        )
        self.api_keys_revoked = Counter(
            "saas_api_api_keys_revoked_total",
            "API keys revoked; revoking one again does not count.",
            registry=own,
        )
        self._audit_events_recorded = Counter(
            "saas_api_audit_events_recorded_total",
            "Audit events written by the statements of requests, as the database counted them.",
            registry=own,
        )
        self._idempotency_replays = Counter(
            "saas_api_idempotency_replays_total",
            "Answers repeated for an Idempotency-Key seen before with the same body.",
            registry=own,
        )
        self._idempotency_conflicts = Counter(
            "saas_api_idempotency_conflicts_total",
            "Requests refused because their Idempotency-Key was used with another body.",
            registry=own,
        )
        self._pool_connections = Gauge(
            "saas_api_database_pool_connections",
            "Open database connections, at most a second old: idle, or busy with a statement.",
            ("state",),
            registry=own,
            multiprocess_mode="livesum",
        )
        self._database_errors = Counter(
            "saas_api_database_errors_total",
            "Errors of the database by the class of their SQLSTATE; 08 also where it is away, "
            "pool where no connection became free in time.",
            ("sqlstate_class",),
            registry=own,
        )
        self._bound: dict[
            tuple[str, str | None, int], tuple[Callable[[], None], Callable[[float], None]]
        ] = {}
        self._pool = dict.fromkeys(POOL_STATES, -1)
        self._running: asyncio.Task[bytes] | None = None
        self._next: asyncio.Task[bytes] | None = None
        self._begin(endpoints)

    def _begin(self, endpoints: Iterable[tuple[str, str]]) -> None:
        """Let every family show from the first scrape, and its series start from 0 where known."""
        for method, route in endpoints:
            self._durations.labels(method, route)
            for status in FAILURES:
                self._requests.labels(method, route, status)
        self._requests.labels("GET", "/metrics", "200")
        for outcome in OUTCOMES:
            self._auth_attempts.labels(outcome)
        for sqlstate_class in (*sorted(SQLSTATE_CLASSES), POOL, OTHER):
            self._database_errors.labels(sqlstate_class)
        self.show_pool(dict.fromkeys(POOL_STATES, 0))

    def count_request(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """One request answered. `route` is the template of its path, None where none matched."""
        bound = self._bound.get((method, route, status))
        count, observe = bound or self._bind(method, route, status)
        count()
        observe(seconds)

    def _bind(
        self, method: str, route: str | None, status: int
    ) -> tuple[Callable[[], None], Callable[[float], None]]:
        """The two series of a kind of request, remembered under what its labels say."""
        if method not in METHODS:
            method = OTHER
        template = UNMATCHED if route is None else route
        bound = self._bound[method, route, status] = (
            self._requests.labels(method, template, str(status)).inc,
            self._durations.labels(method, template).observe,
        )
        return bound

    def count_login(self, outcome: Literal["success", "failure", "throttled"]) -> None:
        """One login that was decided."""
        self._auth_attempts.labels(outcome).inc()

    def count_creation(self, created: Counter, *, replayed: bool) -> None:
        """One answer to a creation: something `created`, or the answer of an earlier one."""
        (self._idempotency_replays if replayed else created).inc()

    def count_audit_events(self, setting: str | None) -> int:
        """
        The events that one statement wrote. `setting` is what it selected as
        `current_setting('app.audit_events', true)`: a number, or null or empty for none. Whoever
        runs SQL on the connection may have left anything there: what is no number counts as none.

        Source: sql/functions/audit/count_events.sql
        """
        events = int(setting) if setting and COUNT.fullmatch(setting) else 0
        if events:
            self._audit_events_recorded.inc(events)
        return events

    def count_failure(self, error: Exception, problem: Problem) -> None:
        """What ended a request in `problem`, where it is the database's or an idempotency key's."""
        match error:
            case asyncpg.PostgresError():
                sqlstate_class = (error.sqlstate or "")[:2]
                known = sqlstate_class in SQLSTATE_CLASSES
                self._database_errors.labels(sqlstate_class if known else OTHER).inc()
            case PoolExhausted():
                self._database_errors.labels(POOL).inc()
            case Unavailable():
                self._database_errors.labels(AWAY).inc()
        if problem.kind is KEY_REUSED:
            self._idempotency_conflicts.inc()

    def show_pool(self, connections: dict[str, int]) -> None:
        """How many connections are in each state now."""
        for state, count in connections.items():
            if self._pool[state] != count:
                self._pool_connections.labels(state).set(count)
                self._pool[state] = count

    async def exposition(self) -> bytes:
        """
        All figures, of all workers, in Prometheus' text format.

        Made in a thread, one at a time: whoever asks while one is being made shares the next.
        """
        if self._next is None:
            self._next = asyncio.create_task(self._expose(self._running))
        return await asyncio.shield(self._next)

    async def _expose(self, before: asyncio.Task[bytes] | None) -> bytes:
        if before is not None:
            await asyncio.wait([before])
        self._running, self._next = self._next, None
        return await asyncio.to_thread(prometheus_client.generate_latest, self._registry)

    def close(self) -> None:
        """Close this worker's files; nothing may count afterwards. They stay for the others."""
        for file in self._files.values():
            file.close()  # type: ignore[no-untyped-call]


def forget_worker(pid: int, directory: Path) -> None:
    """Drop the gauges of a worker that has ended; what it counted stays."""
    mark_process_dead(pid, str(directory))  # type: ignore[no-untyped-call]


def _shared_value(directory: Path, files: dict[str, MmapedDict]) -> type:
    """
    prometheus_client's value in a file of its multi-process mode, for one thread of one process.

    The library's own locks and looks for a fork at every step, which costs more than all the rest.
    `files` collects what was opened, by kind.
    """

    class SharedValue:
        _multiprocess = True

        def __init__(
            self,
            kind: str,
            metric_name: str,
            name: str,
            label_names: list[str],
            label_values: list[str],
            help_text: str,
            multiprocess_mode: str = "",
            **_options: object,
        ) -> None:
            stem = f"gauge_{multiprocess_mode}" if kind == "gauge" else kind
            if stem not in files:
                path = directory / f"{stem}_{os.getpid()}.db"
                files[stem] = MmapedDict(str(path))  # type: ignore[no-untyped-call]
            self._key = mmap_key(metric_name, name, label_names, label_values, help_text)
            self._value: float = files[stem].read_value(self._key)[0]  # type: ignore[no-untyped-call]
            self._write: Callable[[str, float, float], None] = files[stem].write_value

        def inc(self, amount: float) -> None:
            self._value += amount
            self._write(self._key, self._value, 0.0)

        def set(self, value: float, timestamp: float | None = None) -> None:
            self._value = value
            self._write(self._key, value, timestamp or 0.0)

        def get(self) -> float:
            return self._value

    return SharedValue

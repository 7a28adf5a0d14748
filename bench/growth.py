"""
Whether a request costs the same however much there is: `make bench-growth`.

Three data sets in one server, of 10^4, 10^6 and 10^7 projects in tenants of a hundred, an audit
event each; beside them in each set one large tenant, of a thousand projects in the smallest, of a
million in the others. Rows lie as they come to lie in life, by time and not by tenant. The product
serves each of them; one connection asks, one request after the other, small batches of the same
request in turns of the data sets, which meets all of them with whatever else the machine does. A
typical tenant is another one at each request, out of a few. Before, the answers are compared with
the data set. Writes bench/results/growth.json, which bench/report.py reads, and the plot.
"""

import argparse
import contextlib
import itertools
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from rich.progress import Progress, TimeElapsedColumn

from api.failure import Failure
from bench import plot, record, report
from bench.load import Client
from bench.stage import (
    EMAIL,
    OURS,
    PASSWORD,
    Running,
    Stage,
    bare,
    organisation_id,
    project_id,
    serving,
)
from bench.stage import SETTINGS as BARE_SETTINGS

# Nothing here is worth keeping, and the disk is not what is measured.
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_wal_size": "16GB",
    "maintenance_work_mem": "1GB",
}
USER_ID = "01980000-0000-7000-a000-{:012x}"
EACH = 100  # projects of a typical tenant: one a round of the loader
LARGE = 0  # the number of the large tenant
SAMPLE = 32  # typical tenants that are asked
PAGE = 50
BATCH = 20  # requests
BATCH_SECONDS = 0.25  # after which a batch is over, be it shorter

Requests = dict[str, Callable[[], bytes]]


@dataclass(frozen=True, slots=True)
class DataSet:
    """
    So many typical tenants of EACH projects, and a large one of `large` projects.

    `apart` is the time from one round of the loader to the next, as PostgreSQL's interval.
    """

    tenants: int
    large: int
    apart: str = "1 hour"

    @property
    def database(self) -> str:
        """Its name in the server."""
        return f"growth_{self.tenants}"

    @property
    def name(self) -> str:
        """Its name in the results: how many projects the typical tenants have together."""
        return str(self.tenants * EACH)

    def sample(self) -> list[int]:
        """The typical tenants that are asked, from all over the set."""
        count = min(SAMPLE, self.tenants)
        return [1 + (2 * n + 1) * self.tenants // (2 * count) for n in range(count)]


SETS = (DataSet(100, 1_000), DataSet(10_000, 1_000_000), DataSet(100_000, 1_000_000))

# Users 4 n to 4 n + 3 are the members of tenant n; each has a session.
TENANTS = """
insert into app.users (user_id, email)
select
    ('01980000-0000-7000-a000-' || lpad(to_hex(n), 12, '0'))::uuid,
    'user-' || n || '@example.com'
from generate_series(0, 4 * %(tenants)s + 3) as n;

insert into auth.credentials (digest, user_id, expires_at)
select
    sha256(n::text::bytea),
    ('01980000-0000-7000-a000-' || lpad(to_hex(n), 12, '0'))::uuid,
    now() + interval '1 day'
from generate_series(0, 4 * %(tenants)s + 3) as n;

insert into app.organisations (organisation_id, name)
select ('01980000-0000-7000-9000-' || lpad(to_hex(n), 12, '0'))::uuid, 'Organisation ' || n
from generate_series(0, %(tenants)s) as n;

insert into app.memberships (organisation_id, user_id, role)
select
    ('01980000-0000-7000-9000-' || lpad(to_hex(n / 4), 12, '0'))::uuid,
    ('01980000-0000-7000-a000-' || lpad(to_hex(n), 12, '0'))::uuid,
    (array['owner', 'admin', 'member', 'viewer'])[n %% 4 + 1]
from generate_series(0, 4 * %(tenants)s + 3) as n;

insert into app.memberships (organisation_id, user_id, role)
select o.organisation_id, %(user)s, 'owner'
from app.organisations as o
where o.organisation_id = any (%(asked)s);
"""
# A round: a project of each typical tenant, and the large one's share. Round and place in it are
# the id. Up to now; 10 ms from row to row, where rounds are an hour apart.
ROUND = """
with made as (
    insert into app.projects
        (organisation_id, project_id, name, description, status, created_at, updated_at)
    select
        ('01980000-0000-7000-9000-' || lpad(
            to_hex(case when n <= %(tenants)s then n else 0 end), 12, '0'
        ))::uuid,
        ('01980000-0000-7000-8000-' || lpad(
            to_hex(%(round)s * 1000000::bigint + n), 12, '0'
        ))::uuid,
        case
            when (%(round)s + n) %% 100 = 0 then 'Zenit'
            else (array['Apollo', 'Vostok'])[n %% 2 + 1]
        end || ' ' || n || '-' || %(round)s,
        repeat('x', 100),
        case when (%(round)s + n) %% 5 = 0 then 'archived' else 'active' end,
        m.moment,
        m.moment
    from
        generate_series(1, %(tenants)s + %(share)s) as n,
        lateral (
            select
                now() - (%(rounds)s + 1 - %(round)s - n / 360000.0) * %(apart)s::interval as moment
        ) as m
    returning organisation_id, project_id, name, status, created_at
)

insert into audit.events (
    organisation_id, occurred_at, audit_event_id, action, actor_type, actor_user_id, target_type,
    target_id, request_id, changes
)
select
    m.organisation_id, m.created_at, m.project_id, 'project.created', 'user', %(user)s, 'project',
    m.project_id, 'bench',
    jsonb_build_object(
        'name', jsonb_build_object('old', null, 'new', m.name),
        'status', jsonb_build_object('old', null, 'new', m.status)
    )
from made as m
"""
# What the loader takes away and makes again: an index that is made at once is made fast.
INDEXES = """
select i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
from pg_index as i
where
    i.indrelid = 'app.projects'::regclass
    and not exists (select from pg_constraint as c where c.conindid = i.indexrelid)
"""


def load(made: Stage, data_set: DataSet, progress: Progress) -> int:
    """
    Make a data set in a database of its own; constraints hold, triggers sleep meanwhile.

    Returns: the size of the database in bytes.
    """
    with psycopg.connect(made.server.url("postgres", "postgres"), autocommit=True) as admin:
        name = sql.Identifier(data_set.database)
        admin.execute(sql.SQL("create database {} template saas").format(name))
    rows = EACH * data_set.tenants + data_set.large
    task = progress.add_task(f"load {rows:,} projects", total=rows)
    parameters: dict[str, Any] = {
        "tenants": data_set.tenants,
        "share": data_set.large // EACH,
        "rounds": EACH,
        "apart": data_set.apart,
        "user": made.user_id,
        "asked": [organisation_id(n) for n in (LARGE, *data_set.sample())],
    }
    with psycopg.connect(
        made.server.url("postgres", data_set.database), autocommit=True
    ) as connection:
        connection.execute("set session_replication_role = replica")
        indexes = connection.execute(INDEXES.encode()).fetchall()
        for index, _ in indexes:
            connection.execute(f"drop index {index}".encode())
        for statement in TENANTS.split(";")[:-1]:
            connection.execute(statement.encode(), parameters)
        for number in range(1, EACH + 1):
            connection.execute(ROUND.encode(), parameters | {"round": number})
            progress.advance(task, rows // EACH)
        progress.update(task, description=f"index {rows:,} projects")
        for _, definition in indexes:
            connection.execute(definition.encode())
        progress.update(task, description=f"vacuum {rows:,} projects")
        connection.execute("vacuum (freeze, analyze)")
        connection.execute("checkpoint")
        progress.update(task, description=f"loaded {rows:,} projects")
        size = connection.execute("select pg_database_size(current_database())").fetchone()
    assert size is not None
    return int(size[0])


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of projects: its query, and in SQL the rows that it is of and their order."""

    query: str = ""
    key: LiteralString = "p.created_at"
    direction: LiteralString = "desc"
    where: LiteralString = "true"
    deep: bool = False  # after nine tenths of the large tenant's rows, or two fifths of a typical


LISTINGS = {
    "list": Listing(),
    "deep": Listing(deep=True),
    "deep_oldest": Listing("&sort_direction=asc", direction="asc", deep=True),
    "deep_updated": Listing("&sort_by=updated_at", key="p.updated_at", deep=True),
    "deep_name": Listing("&sort_by=name", key='p.name collate "C"', deep=True),
    "status": Listing("&status=archived", where="p.status = 'archived'"),
    "name": Listing("&name=zenit", where="p.name ~ '^Zenit'"),
}


@dataclass(frozen=True, slots=True)
class Tenant:
    """
    A tenant that is asked: its projects by number, where its deep pages begin, and the ids that a
    right page has, both by the listing's name.
    """

    number: int
    projects: list[int]
    cursors: dict[str, str]
    pages: dict[str, list[str]]

    def requests(self, client: Client, founder: str) -> Requests:
        """
        By endpoint, what makes a request as it goes over the wire, for a project of chance where
        it is for one. What the request needs, or would find in its way, is made or removed before.
        `founder` is the token of who creates organisations, and is asked for nothing else.
        """
        path = f"/orgs/{organisation_id(self.number)}"
        projects, members = f"{path}/projects", f"{path}/members"
        keys, events = f"{path}/api-keys", f"{path}/audit-events"
        member = USER_ID.format(4 * (self.number + 1))  # the owner of another tenant
        newcomer = {"user_id": member, "role": "viewer"}
        new, key = {"name": "Vega", "description": "x" * 100}, {"name": "Key"}
        account = {"email": EMAIL, "password": PASSWORD}
        raw, send = client.raw, client.send

        def project() -> str:
            return f"{projects}/{project_id(random.choice(self.projects))}"

        def chance() -> str:
            return f"{random.randrange(10**12):012}"

        def removed() -> str:
            client.exchange(raw("DELETE", f"{members}/{member}"))
            return members

        def added() -> str:
            send("POST", removed(), newcomer)
            return f"{members}/{member}"

        def made(path: str, body: dict[str, str], name: str) -> str:
            return f"{path}/{send('POST', path, body)[name]}"

        listings = {
            name: partial(raw, "GET", f"{projects}?limit={PAGE}{each.query}{self.cursor(name)}")
            for name, each in LISTINGS.items()
        }
        return {
            "read": lambda: raw("GET", project()),
            **listings,
            "create": lambda: raw("POST", projects, new),
            "create_idempotent": lambda: raw(
                "POST", projects, new, **{"Idempotency-Key": chance()}
            ),
            "update": lambda: raw("PATCH", project(), {"name": f"Vega {chance()}"}),
            "delete": lambda: raw("DELETE", made(projects, new, "project_id")),
            "organisations": lambda: raw("GET", "/orgs"),
            "organisation": lambda: raw("GET", path),
            "create_organisation": lambda: raw(
                "POST", "/orgs", {"name": "Vega"}, Authorization=f"Bearer {founder}"
            ),
            "rename_organisation": lambda: raw("PATCH", path, {"name": f"Vega {chance()}"}),
            "members": lambda: raw("GET", f"{members}?limit={PAGE}"),
            "add_member": lambda: raw("POST", removed(), newcomer),
            "change_member": lambda: raw("PATCH", added(), {"role": "member"}),
            "remove_member": lambda: raw("DELETE", added()),
            "api_keys": lambda: raw("GET", f"{keys}?limit={PAGE}"),
            "create_api_key": lambda: raw("POST", keys, key),
            "revoke_api_key": lambda: raw("DELETE", made(keys, key, "api_key_id")),
            "audit": lambda: raw("GET", f"{events}?limit={PAGE}"),
            "audit_deep": lambda: raw("GET", f"{events}?limit={PAGE}{self.cursor('audit_deep')}"),
            "audit_action": lambda: raw("GET", f"{events}?limit={PAGE}&action=project.created"),
            "me": lambda: raw("GET", "/me"),
            "register": lambda: raw(
                "POST", "/auth/register", account | {"email": f"vega-{chance()}@example.com"}
            ),
            "login": lambda: raw("POST", "/auth/login", account),
        }

    def cursor(self, name: str) -> str:
        """The parameter that begins a deep page; nothing for another."""
        cursor = self.cursors.get(name)
        return f"&cursor={cursor}" if cursor else ""


def tenant(connection: psycopg.Connection, data_set: DataSet, number: int) -> Tenant:
    """What there is to know of a tenant."""
    large = number == LARGE
    places = range(1, data_set.large // EACH + 1) if large else range(number, number + 1)
    before = data_set.tenants if large else 0
    projects = [turn * 1_000_000 + before + n for turn in range(1, EACH + 1) for n in places]
    cursors, pages = {}, {}
    for name, each in LISTINGS.items():
        depth = (len(projects) * (9 if large else 4) // 10) if each.deep else 0
        order = f"{each.key.removeprefix('p.').split()[0]} {each.direction}"
        rows = connection.execute(
            "select api.cursor(%s, (" + each.key + ")::text, p.project_id), p.project_id::text"
            " from app.projects as p where p.organisation_id = %s and " + each.where + " order by "
            "" + each.key + " " + each.direction + ", p.project_id " + each.direction + ""
            " limit %s offset %s",
            [f"projects by {order}", organisation_id(number), PAGE + each.deep, depth],
        ).fetchall()
        if each.deep:
            cursors[name] = rows.pop(0)[0]
        pages[name] = [row[1] for row in rows]
    event = connection.execute(
        "select api.cursor('audit-events', e.occurred_at::text, e.audit_event_id)"
        " from audit.events as e where e.organisation_id = %s"
        " order by e.occurred_at desc, e.audit_event_id desc limit 1 offset %s",
        [organisation_id(number), len(projects) * (9 if large else 4) // 10],
    ).fetchone()
    assert event is not None
    cursors["audit_deep"] = event[0]
    return Tenant(number, projects, cursors, pages)


class Asked:
    """A data set that is served, and its tenants: {"typical": some, "large": one}."""

    def __init__(self, data_set: DataSet, client: Client, admin: psycopg.Connection) -> None:
        self.data_set = data_set
        self.tenants = {
            "typical": [tenant(admin, data_set, number) for number in data_set.sample()],
            "large": [tenant(admin, data_set, LARGE)],
        }
        self._client = client
        account = {"email": "founder@example.com", "password": PASSWORD}
        client.send("POST", "/auth/register", account)
        founder = client.send("POST", "/auth/login", account)["access_token"]
        self._requests = {
            size: [each.requests(client, founder) for each in found]
            for size, found in self.tenants.items()
        }
        self._turns = {size: itertools.cycle(each) for size, each in self._requests.items()}

    @property
    def endpoints(self) -> list[str]:
        """What can be asked."""
        return list(self._requests["large"][0])

    def _ask(self, requests: Requests, endpoint: str) -> tuple[float, bytes]:
        """
        Send one request. Returns: milliseconds, and the answer's body.

        Errors: Failure for any answer that is not a good one.
        """
        raw = requests[endpoint]()
        started = time.perf_counter()
        status, answer = self._client.exchange(raw)
        took = time.perf_counter() - started
        if status not in (200, 201, 204):
            raise Failure(f"{self.data_set.database}, {endpoint}: {status} {answer[:500]!r}")
        return took * 1000, answer

    def check(self) -> None:
        """Compare the lists' answers with the data set. Errors: Failure for a wrong one."""
        asked = itertools.chain(*self.tenants.values())
        for each, requests in zip(asked, itertools.chain(*self._requests.values()), strict=True):
            for endpoint, ids in each.pages.items():
                page = json.loads(self._ask(requests, endpoint)[1])
                found = [item["project_id"] for item in page["items"]]
                if found != ids:
                    raise Failure(f"{self.data_set.database}, {endpoint}: {page}")

    def batch(self, size: str, endpoint: str) -> float:
        """The median latency of some requests, in milliseconds."""
        found: list[float] = []
        started = time.perf_counter()
        while len(found) < BATCH and time.perf_counter() - started < BATCH_SECONDS:
            found.append(self._ask(next(self._turns[size]), endpoint)[0])
        return statistics.median(found)


@contextlib.contextmanager
def asking(made: Stage, data_set: DataSet, running: Running) -> Iterator[Asked]:
    """A data set over a connection to the server that serves it."""
    port = int(running.url.rpartition(":")[2])
    with contextlib.closing(Client(port, made.tokens["ours"])) as client:
        with psycopg.connect(made.server.url("postgres", data_set.database)) as admin:
            asked = Asked(data_set, client, admin)
        yield asked


def main() -> int:
    """Load, measure, write, print; the exit status."""
    parser = record.command(
        "bench-growth",
        rounds=(20, "batches of each kind"),
        sets=(len(SETS), "only the smallest so many"),
    )
    return record.run(parser, "growth", _measure, report.growth_tables, draw=plot.draw_growth)


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    """All rounds; what it returns is the file's content."""
    rounds, sets = options.rounds, SETS[: options.sets]
    if len(sets) < 2:
        raise Failure("--sets: it takes 2 or more to say what grows")
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(bare(SETTINGS))
        progress = stack.enter_context(
            Progress(*Progress.get_default_columns(), TimeElapsedColumn())
        )
        described = []
        for each in sets:
            started = time.monotonic()
            described.append(
                asdict(each) | {"name": each.name, "bytes": load(made, each, progress)}
            )
            described[-1]["load_seconds"] = round(time.monotonic() - started, 1)
        served = []
        for each in sets:
            peer = replace(OURS, name=each.database, database=each.database)
            running = stack.enter_context(serving(made, peer))
            task = progress.add_task(f"check {each.name}", total=None)
            served.append(stack.enter_context(asking(made, each, running)))
            served[-1].check()
            progress.update(task, total=1, completed=1)
        endpoints = served[0].endpoints
        batches: dict[str, dict[str, dict[str, list[float]]]] = {
            size: {endpoint: {each.name: [] for each in sets} for endpoint in endpoints}
            for size in ("typical", "large")
        }
        task = progress.add_task("", total=(rounds + 1) * len(batches) * len(endpoints))
        for number in range(rounds + 1):  # the first of them warms up
            for size, endpoint in itertools.product(batches, endpoints):
                progress.update(task, description=f"{endpoint}, {size} tenant")
                first = number % len(served)
                for asked in served[first:] + served[:first]:
                    latency = asked.batch(size, endpoint)
                    if number:
                        batches[size][endpoint][asked.data_set.name].append(round(latency, 3))
                progress.advance(task)
    return {
        "settings": BARE_SETTINGS | SETTINGS | {"batch": BATCH, "sample": SAMPLE},
        "sets": described,
        "batches": batches,
    }


if __name__ == "__main__":
    sys.exit(main())

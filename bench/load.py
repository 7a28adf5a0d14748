"""
The load: wrk on a peer, or pgbench on the function that the product calls; and what it cost.

Before a peer is loaded, each of its endpoints is asked once and compared with what the data set
holds (`check`); after each run wrk must have counted no refusal, and as many bytes as right answers
have, and a run that creates must have left as many rows, each with its audit event.
"""

import contextlib
import json
import random
import re
import resource
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from api import embedded
from api.failure import Failure
from bench.stage import (
    EMAIL,
    PASSWORD,
    PROJECTS,
    READING,
    WRITING,
    Peer,
    Running,
    Stage,
    cpu_seconds,
    organisation_id,
    project_id,
)

CONNECTIONS = 8
SCRIPT = Path(__file__).with_name("load") / "requests.lua"
FIRST_PROJECT = READING * 1000 + 1
LAST_PROJECT = FIRST_PROJECT + PROJECTS - 1
WRITES = ("create", "create_idempotent", "mix")
MIX = {"read": 95, "create": 5}  # per cent
PAGE = 50
NEARLY = 40  # bytes by which right answers may differ: digits of a name, Connection: close

# Placeholders, as wide as what requests.lua puts there, so that no length changes.
PROJECT = "{PROJECT...}"
SERIAL = "{SERIAL....}"
NEW = {"name": f"Vega {SERIAL}", "description": "x" * 100, "status": "active"}
FIELDS = "projectId organisationId name description status createdAt updatedAt"
GRAPHQL = {
    "read": (
        "query($o:UUID!,$p:UUID!){project:projectByOrganisationIdAndProjectId("
        f"organisationId:$o,projectId:$p){{{FIELDS}}}}}",
        {"o": organisation_id(READING), "p": f"01980000-0000-7000-8000-{PROJECT}"},
    ),
    "list": (
        "query($n:Int!){page:allProjects(first:$n,offset:0,"
        f"orderBy:[CREATED_AT_DESC,PROJECT_ID_DESC]){{nodes{{{FIELDS}}} totalCount}}}}",
        {"n": PAGE},
    ),
    "filter": (
        "query($n:Int!,$s:String!,$a:String!){page:allProjects(first:$n,offset:0,"
        "filter:{status:{equalTo:$s},name:{includesInsensitive:$a}},"
        f"orderBy:[NAME_DESC,PROJECT_ID_DESC]){{nodes{{{FIELDS}}} totalCount}}}}",
        {"n": PAGE, "s": "active", "a": "apo"},
    ),
    "create": (
        f"mutation($p:ProjectInput!){{createProject(input:{{project:$p}}){{project{{{FIELDS}}}}}}}",
        {"p": {"organisationId": organisation_id(WRITING), **NEW}},
    ),
}

# The statements of api/handlers/projects.py, prepared once a connection as there.
PGBENCH = {
    "read": """
        select body from api.get_project(
            '{credential}'::bytea, 'bench', '{reading}'::uuid,
            ('01980000-0000-7000-8000-' || lpad(to_hex(:n::bigint), 12, '0'))::uuid
        ) as body
    """,
    "list": """
        select body, current_setting('app.next_cursor', true) from api.list_projects(
            '{credential}'::bytea, 'bench', '{reading}'::uuid, 50, 0, null, null,
            'created_at', 'desc', null, null
        ) as body
    """,
    "filter": """
        select body, current_setting('app.next_cursor', true) from api.list_projects(
            '{credential}'::bytea, 'bench', '{reading}'::uuid, 50, 0, 'active', 'apo',
            'name', 'desc', null, null
        ) as body
    """,
    "create": """
        select body, replayed, current_setting('app.audit_events', true) from api.create_project(
            '{credential}'::bytea, 'bench', '{writing}'::uuid,
            'Vega ' || lpad(:n::text, 12, '0'), repeat('x', 100), 'active', null, null
        )
    """,
    "create_idempotent": """
        select body, replayed, current_setting('app.audit_events', true) from api.create_project(
            '{credential}'::bytea, 'bench', '{writing}'::uuid,
            'Vega ' || lpad(:n::text, 12, '0'), repeat('x', 100), 'active',
            gen_random_uuid()::text,
            jsonb_build_object(
                'name', 'Vega ' || lpad(:n::text, 12, '0'),
                'description', repeat('x', 100), 'status', 'active'
            )
        )
    """,
}


@dataclass(frozen=True, slots=True)
class Request:
    """A request with its placeholders."""

    method: str
    path: str
    headers: dict[str, str]
    body: str = ""

    def raw(self, host: str) -> bytes:
        """As it goes over the wire."""
        head = [f"{self.method} {self.path} HTTP/1.1", f"Host: {host}"]
        head += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.body:
            head.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*head, "", self.body]).encode()


class Client:
    """
    One connection that is kept, and the token that its requests carry.

    A request is one write, which no library promises: in two it would now and then be read in two.
    """

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._connect()
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
        }

    def _connect(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self._port))
        self._answers = self._socket.makefile("rb")

    def close(self) -> None:
        """Close the connection."""
        self._answers.close()
        self._socket.close()

    def raw(self, method: str, path: str, body: object = None, **headers: str) -> bytes:
        """A request as it goes over the wire; `headers` win over the client's own."""
        text = json.dumps(body) if body else ""
        return Request(method, path, self._headers | headers, text).raw("bench")

    def send(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """The body that answers. Errors: Failure unless it is a good answer."""
        status, answer = self.exchange(self.raw(method, path, body, **headers))
        if not 200 <= status < 300:
            raise Failure(f"{method} {path}: {status} {answer[:500]!r}")
        return json.loads(answer)

    def exchange(self, raw: bytes) -> tuple[int, bytes]:
        """The status and body that answer a request as it goes over the wire."""
        first = self._begin(raw)
        if not first:  # the server closes a connection that was idle for long
            self.close()
            self._connect()
            first = self._begin(raw)
        status = int(first.split()[1])
        length = 0
        while (line := self._answers.readline()) != b"\r\n":
            if line[:15].lower() == b"content-length:":
                length = int(line[15:])
        return status, self._answers.read(length)

    def _begin(self, raw: bytes) -> bytes:
        """Send a request; the first line of its answer, or nothing where nobody answers."""
        with contextlib.suppress(ConnectionError):
            self._socket.sendall(raw)
            return self._answers.readline()
        return b""


def request(made: Stage, peer: Peer, endpoint: str) -> Request:
    """The request that is sent to this endpoint of a peer."""
    bearer = {"Authorization": f"Bearer {made.tokens[peer.name]}"}
    json_type = {"Content-Type": "application/json"}
    if peer.dialect == "graphql":
        query, variables = GRAPHQL[endpoint]
        organisation = WRITING if endpoint == "create" else READING
        headers = {**bearer, **json_type, "X-Organisation": organisation_id(organisation)}
        body = json.dumps({"query": query, "variables": variables})
        return Request("POST", "/graphql", headers, body)
    reading, writing = (f"/orgs/{organisation_id(n)}/projects" for n in (READING, WRITING))
    requests = {
        "read": Request("GET", f"{reading}/01980000-0000-7000-8000-{PROJECT}", bearer),
        "list": Request("GET", f"{reading}?limit={PAGE}", bearer),
        "filter": Request(
            "GET", f"{reading}?limit={PAGE}&status=active&name=apo&sort_by=name", bearer
        ),
        "create": Request("POST", writing, {**bearer, **json_type}, json.dumps(NEW)),
        "login": Request(
            "POST", "/auth/login", json_type, json.dumps({"email": EMAIL, "password": PASSWORD})
        ),
    }
    if endpoint == "create_idempotent":
        key = {"Idempotency-Key": f"{random.getrandbits(64):x}-{SERIAL}"}
        return replace(requests["create"], headers={**requests["create"].headers, **key})
    return requests[endpoint]


def ask(made: Stage, running: Running, endpoint: str) -> tuple[int, bytes, int]:
    """
    Send such a request once, for the first project.

    Returns: the answer's status, its body, and its length in bytes, headers and all.
    """
    template = request(made, running.peer, endpoint)

    def fill(text: str) -> str:
        serial = f"{random.randrange(10**12):012}"
        return text.replace(PROJECT, f"{FIRST_PROJECT:012x}").replace(SERIAL, serial)

    filled = urllib.request.Request(
        running.url + fill(template.path),
        method=template.method,
        headers={name: fill(value) for name, value in template.headers.items()},
        data=fill(template.body).encode() or None,
    )
    try:
        with urllib.request.urlopen(filled, timeout=30) as response:
            status, head, body = response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        status, head, body = error.code, error.headers, error.read()
    return status, body, len(f"HTTP/1.1 {status} OK\r\n{head}") + len(body)


def check(made: Stage, running: Running) -> dict[str, int]:
    """
    Ask each endpoint once, and compare the answer with the data set.

    Returns: the length of each endpoint's answer in bytes, headers and all.
    Errors: Failure that says what was wrong.
    """
    lengths = {}
    for endpoint in sorted(running.peer.endpoints - {"mix"}):
        status, raw, length = ask(made, running, endpoint)
        graphql = running.peer.dialect == "graphql"
        expected = 201 if endpoint.startswith("create") and not graphql else 200
        body = json.loads(raw) if status == expected else {}
        if graphql and "errors" not in body:
            body = _rest(body)
        if status != expected or "errors" in body or not _right(endpoint, body):
            raise Failure(f"{running.peer.name}, {endpoint}: {status} {raw[:500]!r}")
        lengths[endpoint] = length
    if "mix" in running.peer.endpoints:
        lengths["mix"] = sum(lengths[name] * percent for name, percent in MIX.items()) // 100
    return lengths


def _right(endpoint: str, body: Mapping[str, Any]) -> bool:
    if endpoint == "login":
        return "access_token" in body
    if endpoint in ("list", "filter"):
        numbers = list(range(LAST_PROJECT, FIRST_PROJECT - 1, -1))
        if endpoint == "filter":
            names = {n: f"Apollo {n % 1000}" for n in numbers if not n % 2 and n % 5}
            numbers = sorted(names, key=names.__getitem__, reverse=True)
        found = [item["project_id"] for item in body["items"]]
        total: bool = body["total"] == len(numbers)
        return total and found == [project_id(n) for n in numbers[:PAGE]]
    expected = {"description": "x" * 100, "status": "active"}
    if endpoint == "read":
        expected |= {
            "project_id": project_id(FIRST_PROJECT),
            "organisation_id": organisation_id(READING),
            "name": "Vostok 1",
        }
    else:
        expected["organisation_id"] = organisation_id(WRITING)
    return {name: body[name] for name in expected} == expected and "created_at" in body


def _rest(answer: Mapping[str, Any]) -> dict[str, Any]:
    """An answer of GraphQL in the form of the others'."""

    def snake(project: Mapping[str, Any]) -> dict[str, Any]:
        return {re.sub("([A-Z])", r"_\1", name).lower(): each for name, each in project.items()}

    data = answer["data"]
    if "page" in data:
        page = data["page"]
        return {"items": [snake(each) for each in page["nodes"]], "total": page["totalCount"]}
    return snake(data["project"] if "project" in data else data["createProject"]["project"])


@dataclass(frozen=True, slots=True)
class Run:
    """
    What one run showed. Latencies are in milliseconds and None where the client does not say;
    processor time is in seconds: of the peer's processes, of PostgreSQL's, and of all that is none
    of ours, which says how quiet the machine was.
    """

    requests: int
    seconds: float
    p50_ms: float | None
    p99_ms: float | None
    api_cpu_seconds: float
    database_cpu_seconds: float
    others_cpu_seconds: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    def record(self) -> dict[str, Any]:
        """As it is kept in the JSON file."""
        return {
            name: round(value, 3) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }


def run(
    made: Stage,
    peer: Peer,
    running: Running | None,
    endpoint: str,
    seconds: float,
    length: int | None = None,
    connections: int = CONNECTIONS,
) -> Run:
    """
    Load one endpoint of a peer for some seconds. `running` is None for pgbench; `length` is that of
    a right answer in bytes with its headers, if there is one.

    Errors: Failure when an answer was wrong.
    """
    postmaster = psutil.Process(made.server.pid)
    if endpoint in WRITES:
        made.empty(peer)
    api, database = cpu_seconds(running.process) if running else 0.0, cpu_seconds(postmaster)
    client, machine = _client_seconds(), _machine_seconds()
    if running is None:
        counted = _pgbench(made, peer, endpoint, seconds, connections)
        time.sleep(0.2)  # the processor time of a backend that ended counts once it is reaped
    else:
        counted = _wrk(made, running, endpoint, seconds, connections)
    machine = _machine_seconds() - machine
    client = _client_seconds() - client
    api = cpu_seconds(running.process) - api if running else 0.0
    database = cpu_seconds(postmaster) - database
    result = Run(
        requests=counted["requests"],
        seconds=counted["microseconds"] / 1e6,
        p50_ms=counted.get("p50", 0) / 1000 or None,
        p99_ms=counted.get("p99", 0) / 1000 or None,
        api_cpu_seconds=api,
        database_cpu_seconds=database,
        others_cpu_seconds=max(0.0, machine - client - api - database),
    )
    found = counted.get("bytes", 0) / counted["requests"]
    if length and running and abs(found - length) > NEARLY + length / 100:
        # GraphQL says 200 to everything; an answer that is an error has another length.
        raise Failure(f"{peer.name}, {endpoint}: {found:.0f} bytes instead of {length}")
    if endpoint in ("create", "create_idempotent"):
        # Those under way at the end are not counted, and some of them are done.
        projects, events = made.created(peer)
        if not 0 <= projects - result.requests <= connections or events != projects:
            raise Failure(
                f"{peer.name}, {endpoint}: {result.requests} answers, but {projects} projects"
                f" and {events} audit events"
            )
    return result


def _machine_seconds() -> float:
    """Processor time that the machine has used, by whomever."""
    times = psutil.cpu_times()
    busy: float = times.user + times.system + times.nice + getattr(times, "steal", 0.0)
    return busy + getattr(times, "irq", 0.0) + getattr(times, "softirq", 0.0)


def _client_seconds() -> float:
    """Processor time of this process and of what it waited for: wrk and pgbench."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(sum(resource.getrusage(kind)[:2]) for kind in kinds)


def find_wrk() -> str:
    """The path of wrk. Errors: Failure that says how to get it."""
    found = shutil.which("wrk")
    if found is None:
        raise Failure("wrk is not on PATH: apt-get install wrk, brew install wrk, or build it")
    return found


def _wrk(
    made: Stage, running: Running, endpoint: str, seconds: float, connections: int
) -> dict[str, Any]:
    weights = MIX if endpoint == "mix" else {endpoint: 1}
    drawn: list[str] = []
    for name, weight in weights.items():
        template = made.folder / f"{name}.http"
        template.write_bytes(request(made, running.peer, name).raw(running.url.split("/")[2]))
        drawn += [str(weight), str(template)]
    output = _output(
        *(find_wrk(), "--threads", "1", "--connections", str(connections), "--timeout", "20s"),
        *("--duration", f"{seconds:.0f}s", "--script", str(SCRIPT), running.url, "--"),
        *(str(random.randrange(2**31)), str(FIRST_PROJECT), str(PROJECTS), *drawn),
    )
    counted: dict[str, Any] = json.loads(output.splitlines()[-1])
    if counted["refused"] or counted["broken"] or not counted["requests"]:
        raise Failure(f"{running.peer.name}, {endpoint}: not every answer was good: {counted}")
    return counted


def _pgbench(
    made: Stage, peer: Peer, endpoint: str, seconds: float, connections: int
) -> dict[str, Any]:
    weights = MIX if endpoint == "mix" else {endpoint: 1}
    files: list[str] = []
    for name, weight in weights.items():
        script = made.folder / f"{name}.sql"
        statement = PGBENCH[name].format(
            credential=f"\\x{made.digest.hex()}",
            reading=organisation_id(READING),
            writing=organisation_id(WRITING),
        )
        line = " ".join(statement.split())
        script.write_text(f"\\set n random({FIRST_PROJECT}, {LAST_PROJECT})\n{line};\n")
        files += ["--file", f"{script}@{weight}"]
    output = _output(
        *(str(embedded.program("pgbench")), "--no-vacuum", "--protocol=prepared"),
        *("--client", str(connections), "--jobs", "1", "--time", f"{seconds:.0f}", *files),
        made.url(peer),
    )
    done = re.search(r"number of transactions actually processed: (\d+)", output)
    rate = re.search(r"tps = ([\d.]+)", output)
    if done is None or rate is None or "number of failed transactions: 0 " not in output:
        raise Failure(f"pgbench, {endpoint}: {output}")
    return {"requests": int(done[1]), "microseconds": int(done[1]) / float(rate[1]) * 1e6}


def _output(*command: str) -> str:
    """What a program says. Errors: Failure with it, if it ends with an error."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure(f"{command[0]}: {done.stdout}{done.stderr}")
    return done.stdout

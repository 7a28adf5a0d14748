#!/usr/bin/env python3
"""
No secret gets out: not in an answer, a log line, a metric, an audit event or a stored answer.

Serves the API from a database of its own, in a temporary folder, with canaries for secrets; plays
a story in which everything succeeds, fails and is repeated; then searches all that came out, and
every row outside of schema auth, for each secret as it is, in hexadecimal, in base64 and escaped.
What may show a secret is in ALLOWED. Also runs secret_columns.sql.

Needs `saas-api` beside the Python that runs this. Exit status: 0, or 1 with a line for each leak.
"""

import base64
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SAAS_API = Path(sys.executable).with_name("saas-api")
HERE = Path(__file__).resolve().parent
CANARIES = {
    "password": "canary-password-ß-8f2c1d",
    "wrong password": "canary-wrong-password-77ab",
    "database password": "canary-database-password-51e0",
    "JWT secret": "canary-jwt-secret-0123456789-0123456789-aa41",
    "metrics token": "canary-metrics-token-c93e",
}
# (the secret, where it may be seen)
ALLOWED = {
    ("access token", "POST /auth/login 200"),
    ("session secret", "POST /auth/login 200"),
    ("API key", "POST /orgs/{id}/api-keys 201"),
}
TABLES = """
    select c.oid::regclass::text from pg_catalog.pg_class as c
    where c.relkind in ('r', 'p', 'v', 'm') and c.relnamespace::regnamespace::text in
        ('app', 'api', 'audit', 'deploy', 'ctx', 'dba')
        -- The policies bind its owner, whoever asks; its rows are those of api.projects.
        and c.oid <> 'api.listed_projects'::regclass
    order by 1
"""
STORED = """
    select kind, encode(value, 'hex') from (
        select 'session or key digest' as kind, digest as value from auth.credentials
        union all select 'salt', salt from auth.passwords
        union all select 'password digest', digest from auth.passwords
        union all select 'seal key', inner_key from auth.seal_key
        union all select 'seal key', outer_key from auth.seal_key
    ) as secret
"""


@dataclass(slots=True)
class Seen:
    """What has come out: where, and the text; and what must not be in it, by name."""

    texts: list[tuple[str, bytes]] = field(default_factory=list)
    secrets: list[tuple[str, bytes]] = field(default_factory=list)


def forms(secret: bytes) -> set[bytes]:
    """How a secret may look."""
    text = secret.decode(errors="replace")
    encoded = {base64.b64encode(secret), base64.urlsafe_b64encode(secret)}
    return {
        secret,
        secret.hex().encode(),
        secret.hex().upper().encode(),
        *(each.rstrip(b"=") for each in encoded),
        *(base64_inside(secret)),
        urllib.parse.quote(text).encode(),
        json.dumps(text)[1:-1].encode(),
        repr(secret)[2:-1].encode(),
    }


def base64_inside(secret: bytes) -> Iterator[bytes]:
    """The letters that a secret becomes within a longer text in base64, at each offset."""
    for offset in range(3):
        length = len(secret) - (3 - offset) % 3
        start = (3 - offset) % 3
        yield base64.b64encode(secret[start : start + length - length % 3])


def leaks(seen: Seen) -> list[str]:
    """One line for each secret in each text where it may not be."""
    looks = [(name, forms(secret)) for name, secret in seen.secrets]
    return [
        f"{name} is in {where}"
        for where, text in seen.texts
        for name, shapes in looks
        if (name, where) not in ALLOWED and any(shape in text for shape in shapes)
    ]


class Client:
    """Sends requests, and keeps every answer with its headers."""

    def __init__(self, url: str, seen: Seen) -> None:
        self.url, self.seen = url, seen

    def send(
        self, method: str, path: str, body: object = None, token: str | None = None, **more: str
    ) -> Any:
        """The answer's JSON; `more` are headers."""
        headers = {"Content-Type": "application/json", **more}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310
            self.url + path, method=method, headers=headers, data=None if body is None else data
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310
                status, head, content = response.status, response.headers, response.read()
        except urllib.error.HTTPError as error:
            status, head, content = error.code, error.headers, error.read()
        where = f"{method} {template(path)} {status}"
        if head.get("Idempotency-Replayed"):
            where += " replayed"
        self.seen.texts.append((where, f"{head}".encode() + content))
        return json.loads(content) if "json" in head.get("Content-Type", "") else content


def template(path: str) -> str:
    """The path with {id} for each UUID, and without its query."""
    parts = path.partition("?")[0].split("/")
    return "/".join("{id}" if part.count("-") == 4 and len(part) == 36 else part for part in parts)


def story(client: Client) -> None:
    """Everything a client can do with a secret, rightly and wrongly."""
    send, seen = client.send, client.seen
    password, wrong = CANARIES["password"], CANARIES["wrong password"]
    ada = {"email": "ada@example.com", "password": password}
    send("POST", "/auth/register", {**ada, "display_name": "Ada"})
    send("POST", "/auth/register", ada)
    send("POST", "/auth/register", {**ada, "unknown": password})
    send("POST", "/auth/register", {"email": password, "password": password * 100})
    send("POST", "/auth/register", {"email": "a@b.c", "password": [password]})
    send("POST", "/auth/login", b'{"password": "' + password.encode() + b'"')
    send("POST", "/auth/login", b'{"password": "' + password.encode() + b'\xff"}')
    send("POST", "/auth/login", {**ada, "password": wrong})
    send("POST", "/auth/login", {"email": "nobody@example.com", "password": wrong})
    token = send("POST", "/auth/login", ada)["access_token"]
    sid = json.loads(unpad(token.split(".")[1]))["sid"]
    seen.secrets += [("access token", token.encode()), ("session secret", sid.encode())]
    seen.secrets += [("session secret", unpad(sid))]
    for _ in range(11):
        send("POST", "/auth/login", {"email": "eve@example.com", "password": wrong})
    send("GET", "/me", token=token)
    send("GET", "/me", token=token + "x")
    send("GET", "/me", token=password)
    send("GET", f"/me?token={token}", token=token)
    send("GET", f"/{token}", token=token)
    send("GET", f"/orgs/{token}", token=token)
    send("PUT", f"/orgs/{token}", token=token)
    key = {"Idempotency-Key": "once"}
    org = send("POST", "/orgs", {"name": "Acme"}, token, **key)["organisation_id"]
    send("POST", "/orgs", {"name": "Acme"}, token, **key)
    send("POST", "/orgs", {"name": "Other"}, token, **key)
    send("POST", "/orgs", {"name": "Acme"}, token, **{"Idempotency-Key": "é"})
    send("PATCH", f"/orgs/{org}", {"name": "Acme Ltd"}, token)
    keys = f"/orgs/{org}/api-keys"
    created = send("POST", keys, {"name": "CI"}, token, **key)
    raw = created["raw_key"]
    seen.secrets += [("API key", raw.encode()), ("API key", raw.rpartition("_")[2].encode())]
    send("POST", keys, {"name": "CI"}, token, **key)
    send("POST", keys, {"name": "other"}, token, **key)
    send("GET", keys, token=token)
    projects = f"/orgs/{org}/projects"
    project = send("POST", projects, {"name": "Apollo"}, raw, **key)["project_id"]
    send("POST", projects, {"name": "Apollo"}, raw, **key)
    send("POST", projects, {"name": "Apollo", "token": raw}, raw)
    send("GET", f"{projects}?name={raw}", token=raw)
    send("PATCH", f"{projects}/{project}", {"description": "first"}, raw)
    send("GET", f"/orgs/{org}", token=raw)
    send("DELETE", f"{projects}/{project}", token=raw)
    send("GET", projects, token=raw[:-1] + ("0" if raw[-1] != "0" else "1"))
    grace = {"email": "grace@example.com", "password": password}
    user = send("POST", "/auth/register", grace)["user_id"]
    send("POST", f"/orgs/{org}/members", {"user_id": user, "role": "viewer"}, token)
    send("POST", f"/orgs/{org}/members", {"email": raw, "role": token}, token)
    send("PATCH", f"/orgs/{org}/members/{user}", {"role": "admin"}, token)
    send("GET", f"/orgs/{org}/members", token=token)
    send("DELETE", f"/orgs/{org}/members/{user}", token=token)
    send("DELETE", f"{keys}/{created['api_key_id']}", token=token)
    send("GET", projects, token=raw)
    send("GET", f"/orgs/{org}/audit-events?limit=200", token=token)
    for path in ("/healthz", "/readyz", "/openapi.json", "/docs"):
        send("GET", path)
    send("GET", "/metrics")
    send("GET", "/metrics", token="x" + CANARIES["metrics token"])
    send("GET", "/metrics", token=CANARIES["metrics token"])


def without_database(client: Client) -> None:
    """The same when the database is away: 503, and its reasons in the log."""
    ada = {"email": "ada@example.com", "password": CANARIES["password"]}
    client.send("POST", "/auth/login", ada)
    client.send("POST", "/auth/register", ada)
    client.send("GET", "/readyz")


def unpad(text: str) -> bytes:
    """base64url without its padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def saas_api(folder: Path, *arguments: str) -> str:
    """What a command says; its messages are printed if it fails."""
    result = subprocess.run(
        [SAAS_API, *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        sys.exit(f"saas-api {arguments[0]}: {result.stderr}")
    return result.stdout


def environment(**more: str) -> dict[str, str]:
    """Ours without any SAAS_API_ setting."""
    return {n: v for n, v in os.environ.items() if not n.startswith("SAAS_API_")} | more


def query(folder: Path, sql: str) -> list[str]:
    """The rows a superuser sees, columns separated by |."""
    return saas_api(folder, "psql", "--role", "postgres", "--", "-XqAt", "-c", sql).splitlines()


def rows(folder: Path) -> list[tuple[str, bytes]]:
    """Every row of every table and view outside of schema auth."""
    selects = [
        f"select '{table}', encode(convert_to(t::text, 'UTF8'), 'hex') from {table} as t"  # noqa: S608
        for table in query(folder, TABLES)
    ]
    found = (row.split("|") for row in query(folder, " union all ".join(selects)))
    return [(f"table {table}", bytes.fromhex(text)) for table, text in found]


@contextlib.contextmanager
def serving(folder: Path, seen: Seen) -> Iterator[Client]:
    """Serve with canaries; what the server wrote is seen at its end."""
    url = saas_api(folder, "url").strip()
    canary = CANARIES["database password"]
    variables = environment(
        SAAS_API_DATABASE_URL=url.replace("saas_api@", f"saas_api:{canary}@", 1),
        SAAS_API_JWT_SECRET=CANARIES["JWT secret"],
        SAAS_API_METRICS_TOKEN=CANARIES["metrics token"],
        SAAS_API_DOCS_ENABLED="true",
        SAAS_API_LOG_LEVEL="DEBUG",
        SAAS_API_PORT="0",
    )
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [SAAS_API, "serve"], cwd=folder, env=variables, stdout=output, stderr=output
        )
    try:
        yield Client(wait_for_address(process, log), seen)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        seen.texts.append(("the server's log", log.read_bytes()))


def wait_for_address(process: subprocess.Popen[bytes], log: Path) -> str:
    """The URL the server says it listens on."""
    for _ in range(300):
        said = log.read_text(errors="replace")
        if " listens on " in said:
            return said.partition(" listens on ")[2].partition("\n")[0]
        if process.poll() is not None:
            break
        time.sleep(0.1)
    sys.exit(f"saas-api serve did not start:\n{log.read_text(errors='replace')}")


def main() -> int:
    """Play, search, and print the leaks."""
    seen = Seen(secrets=[(name, text.encode()) for name, text in CANARIES.items()])
    with tempfile.TemporaryDirectory(prefix="saas-api-secrets-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL may run as another user
        try:
            saas_api(folder, "migrate")
            with serving(folder, seen) as client:
                story(client)
                seen.secrets += [
                    (kind, bytes.fromhex(value))
                    for kind, value in (row.split("|") for row in query(folder, STORED))
                ]
                seen.texts += rows(folder)
                faults = query(folder, (HERE / "secret_columns.sql").read_text())
                saas_api(folder, "stop")
                without_database(client)
            log = folder / ".data" / "postgres.log"
            seen.texts.append(("PostgreSQL's log", log.read_bytes() if log.exists() else b""))
        finally:
            subprocess.run([SAAS_API, "stop"], cwd=folder, env=environment(), capture_output=True)
    faults += leaks(seen)
    tokens = [secret for name, secret in seen.secrets if name == "access token"]
    digests = {hashlib.sha256(token).digest() for token in tokens}
    faults += leaks(Seen(seen.texts, [("access token's digest", digest) for digest in digests]))
    for fault in sorted(set(faults)):
        print(fault)
    if not faults:
        print(f"none of {len(seen.secrets)} secrets in {len(seen.texts)} answers, tables and logs")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())

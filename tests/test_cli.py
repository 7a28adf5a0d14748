"""`saas-api` as its user has it: real processes, real signals, one line when it fails."""

import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api import embedded, migrate
from api.policies.databases import Database

ROOT = Path(__file__).parents[1]
NOWHERE = "postgresql://saas_api:hush@127.0.0.1:1/saas"
PASSWORD = "correct horse battery staple"


def environment(**changes: str) -> dict[str, str]:
    """Ours without settings, and with these."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("SAAS_API_", "PG"))}
    return {**inherited, **changes}


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A folder to run in, whose .data/ the tests of this module share."""
    path = Path(tempfile.mkdtemp(prefix="saas-api-cli-"))
    yield path
    embedded.stop(path / ".data")
    shutil.rmtree(path)


def saas_api(
    *arguments: str, home: Path | None = None, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "api.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=home,
        env=environment(**environ),
    )


class Serving:
    """`saas-api serve` on a free port, once it says that it listens."""

    def __init__(self, program: list[str], home: Path) -> None:
        self.process = subprocess.Popen(
            [*program, "serve", "--port", "0"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=home,
            env=environment(),
            start_new_session=True,
        )
        self.said: list[str] = []
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)
            if found := re.search(r"listens on (http://\S+)", line):
                self.url = found.group(1)
                return
        raise AssertionError("".join(self.said))

    def send(self, path: str, body: dict[str, str] | None = None) -> Any:
        """A request that has to succeed; its JSON answer."""
        request = urllib.request.Request(
            self.url + path,
            data=json.dumps(body).encode() if body else None,
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)

    def end(self, number: int) -> int:
        """Signal the whole process group; the exit status."""
        os.killpg(self.process.pid, number)
        status = self.process.wait(20)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return status


MODULE = [sys.executable, "-m", "api.cli"]


def test_serve_killed_loses_nothing_that_was_answered(home: Path) -> None:
    """Neither with the API killed, nor with PostgreSQL killed too."""
    login = {"email": "ada@example.com", "password": PASSWORD}
    serving = Serving(MODULE, home)
    assert serving.send("/readyz")["status"]
    serving.send("/auth/register", login)
    assert serving.end(signal.SIGKILL) == -signal.SIGKILL

    server = embedded.status(home / ".data")
    assert server is not None
    os.kill(server.pid, signal.SIGKILL)

    serving = Serving(MODULE, home)
    assert serving.send("/auth/login", login)["token_type"] == "bearer"
    assert serving.end(signal.SIGTERM) == 0
    assert embedded.status(home / ".data") is not None


def test_migrate_on_current_database_says_so(home: Path) -> None:
    saas_api("migrate", home=home)
    version = migrate.expected_version()
    result = saas_api("migrate", home=home)
    assert (result.returncode, result.stderr) == (
        0,
        f"saas-api: nothing to do: schema {version}\n",
    )
    assert saas_api("migrate", "--plan", home=home).stdout == f"nothing to do: schema {version}\n"


ADA = """
insert into app.users (email) values ('ada@x.example');
insert into auth.passwords (user_id, email_digest, salt, parameters, digest)
select user_id, gate.email_digest(email), sha256('x'), 'm=8,t=1,p=1', sha256('y') from app.users
where email = 'ada@x.example';
insert into app.organisations (name) values ('Wonka');
insert into app.memberships (organisation_id, user_id, role)
select organisation_id, user_id, 'viewer' from app.organisations, app.users
where name = 'Wonka' and email = 'ada@x.example'
"""
WHO = "select email, role, organisation, read_only from dba.whoami()"


def test_psql_as_somebody_is_somebody_until_the_transaction_ends(home: Path) -> None:
    saas_api("migrate", home=home)
    assert saas_api("psql", "--role", "postgres", "--", "-Xqc", ADA, home=home).returncode == 0
    as_ada = ("psql", "--as", "ada@x.example", "--org", "wonka")
    said = saas_api(*as_ada, "--", "-At", "-c", WHO, "-c", "rollback", "-c", WHO, home=home)
    assert "ada@x.example|viewer|Wonka|t\nROLLBACK\n|||f\n" in said.stdout, said.stderr
    said = saas_api(*as_ada, "--write", "--", "-At", "-c", WHO, home=home)
    assert "ada@x.example|viewer|Wonka|f\n" in said.stdout
    said = saas_api("psql", "--as", "admin", "--org", "Wonka", "--", "-At", "-c", WHO, home=home)
    assert "|admin|Wonka|t\n" in said.stdout
    said = saas_api("psql", "--as", "eve@x.example", "--org", "Wonka", "--", "-c", WHO, home=home)
    assert "no user eve@x.example" in said.stderr
    # The one abort is of the query asked for: nobody becomes the role that logged in.
    assert said.stderr.count("current transaction is aborted") == 1
    assert said.stdout == ""


def test_psql_read_only_is_refused_where_a_savepoint_would_end_it(home: Path) -> None:
    saas_api("migrate", home=home)
    saas_api("psql", "--role", "postgres", "--", "-Xqc", ADA, home=home)
    become, write = (
        "select dba.impersonate_role('owner', 'Wonka')",
        "update app.organisations set name = 'x'",
    )
    as_dba = ("psql", "--role", "saas_dba", "--", "-XAtq")

    def said(*typed: str) -> tuple[str, str]:
        commands = [part for line in typed for part in ("-c", line)]
        done = saas_api(*as_dba, *commands, home=home)
        return done.stdout, done.stderr

    refused = "ERROR:  read only would end with the savepoint\n"
    for before, after in (
        (["\\set ON_ERROR_ROLLBACK on", "begin"], []),
        (["begin", "savepoint s"], ["rollback to s", "release s"]),
    ):
        output, errors = said(*before, become, *after, "select sealed from dba.whoami()", write)
        assert output == "f\n"
        assert refused in errors
        assert "permission denied for table organisations" in errors
    output, errors = said(
        "begin", become, "\\set ON_ERROR_ROLLBACK on", write, "savepoint s", "release s", write, WHO
    )
    assert output.endswith("|owner|Wonka|t\n")
    assert errors.count("cannot execute UPDATE in a read-only transaction") == 2


def prompts(arguments: list[str], typed: list[str], home: Path) -> list[str]:
    """The first prompt of psql on a terminal, and the one after each line that is typed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(home)
        program = [sys.executable, "-m", "api.cli", "psql", *arguments]
        os.execve(sys.executable, program, environment(PAGER="cat", TERM="dumb"))
    found = []
    try:
        for line in [*typed, "\\q"]:
            said = ""
            while not (prompt := re.search(r"^([^\r\n]*)=([*!]?)[>#] \Z", said, re.MULTILINE)):
                assert select.select([terminal], [], [], 30)[0], said
                said += os.read(terminal, 65536).decode()
            found.append(f"{prompt[1]}{prompt[2]}")
            os.write(terminal, f"{line}\n".encode())
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)
    return found


def test_psql_prompt_names_nobody_whom_the_policies_do_not_see(home: Path) -> None:
    saas_api("migrate", home=home)
    saas_api("psql", "--role", "postgres", "--", "-Xqc", ADA, home=home)
    typed = ["commit;", "begin;", "rollback;", ":enter", "rollback;"]
    ada = "ada@x.example (viewer of Wonka, read only)*"
    said = prompts(["--as", "ada@x.example", "--org", "wonka", "--", "-n"], typed, home)
    assert said == [ada, "nobody", "nobody*", "nobody", ada, "nobody"]


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("saas_api", "saas_api|saas_api"),
        ("saas_migrator", "saas_migrator|saas_migrator"),
        ("saas_owner", "saas_migrator|saas_owner"),
        ("saas_gate", "saas_migrator|saas_gate"),
        ("saas_dba", "postgres|saas_dba"),
        ("postgres", "postgres|postgres"),
    ],
)
def test_psql_and_url_lead_to_the_role(home: Path, role: str, expected: str) -> None:
    query = ["-XAtc", "select session_user, current_user"]
    by_psql = saas_api("psql", "--role", role, "--", *query, home=home)
    assert by_psql.stdout.strip() == expected, by_psql.stderr
    url = saas_api("url", "--role", role, home=home).stdout.strip()
    program = str(embedded.program("psql"))
    by_url = subprocess.run([program, *query, url], capture_output=True, text=True, check=True)
    assert by_url.stdout.strip() == expected


@pytest.mark.parametrize("dashes", [[], ["--"]])
def test_psql_hands_on_what_is_not_its_own(home: Path, dashes: list[str]) -> None:
    query = ["-X", "--tuples-only", "-A", "-c", "select current_user"]
    result = saas_api("psql", *dashes, *query, home=home)
    assert (result.returncode, result.stdout) == (0, "saas_api\n"), result.stderr


def test_serve_on_a_port_that_is_taken_changes_nothing(tmp_path: Path) -> None:
    """Not even a data directory is made."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = saas_api("serve", "--port", port, home=tmp_path)
    assert (result.returncode, len(result.stderr.splitlines())) == (1, 1), result.stderr
    assert "SAAS_API_PORT" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("role", ["saas_migrator", "postgres"])
def test_serve_as_another_role_names_the_right_one(database: Database, role: str) -> None:
    """And does not say that the schema is not there."""
    result = saas_api("serve", "--port", "0", SAAS_API_DATABASE_URL=database.url(role))
    assert result.returncode == 1
    assert "let SAAS_API_DATABASE_URL name saas_api" in result.stderr
    assert "migrate" not in result.stderr.replace("saas_migrator", "")


def test_doctor_of_the_embedded_server_finds_no_failure(home: Path) -> None:
    saas_api("migrate", home=home)
    result = saas_api("doctor", home=home)
    assert (result.returncode, result.stderr) == (0, ""), result.stdout
    assert {line.split()[0] for line in result.stdout.splitlines()} <= {"ok", "warning"}


def test_doctor_fails_when_a_check_does(home: Path, empty_database: Database) -> None:
    result = saas_api("doctor", home=home, SAAS_API_DATABASE_URL=empty_database.api_url)
    assert result.returncode == 1
    assert "failure  the schema is" in result.stdout


def test_stop_stops_once(home: Path) -> None:
    saas_api("url", home=home)
    assert saas_api("stop", home=home).stderr == "saas-api: PostgreSQL stopped\n"
    assert saas_api("stop", home=home).stderr == "saas-api: PostgreSQL was not running\n"


def test_stop_where_nothing_was_leaves_nothing(tmp_path: Path) -> None:
    assert saas_api("stop", home=tmp_path).returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_serve_on_a_foreign_database_of_another_schema_names_the_command(
    empty_database: Database,
) -> None:
    result = saas_api("serve", SAAS_API_DATABASE_URL=empty_database.api_url)
    assert result.returncode == 1
    assert "run saas-api migrate" in result.stderr
    url = empty_database.migration_url
    assert saas_api("migrate", SAAS_API_MIGRATION_DATABASE_URL=url).returncode == 0
    assert migrate.current_version(empty_database.api_url) == migrate.expected_version()


@pytest.mark.parametrize(
    ("arguments", "environ", "message"),
    [
        (["serve", "--port", "x"], {}, "SAAS_API_PORT"),
        (["serve"], {"SAAS_API_DATABASE_URL": NOWHERE}, "SAAS_API_DATABASE_URL"),
        (["serve"], {"SAAS_API_DATABASE_URL": "postgresql://a:b@[x"}, "SAAS_API_DATABASE_URL"),
        (["serve"], {"SAAS_API_DATABASE_URL": "postgresql://a@b:hush/c"}, "SAAS_API_DATABASE_URL"),
        (["migrate"], {"SAAS_API_MIGRATION_DATABASE_URL": NOWHERE}, "cannot connect"),
        (["migrate"], {"SAAS_API_DATABASE_URL": NOWHERE}, "SAAS_API_MIGRATION_DATABASE_URL is"),
        (["migrate"], {"SAAS_API_ENVIRONMENT": "production"}, "set SAAS_API_DATABASE_URL"),
        (["migrate"], {"SAAS_API_ENVIRONMENT": " Production"}, "set SAAS_API_DATABASE_URL"),
        (["doctor"], {"SAAS_API_DATABASE_URL": NOWHERE}, "cannot connect"),
        (["serve", "--host", "nohost.invalid"], {}, "SAAS_API_HOST"),
        (["serve", "--host", "203.0.113.1", "--port", "0"], {}, "SAAS_API_HOST"),
        (["policies", "mutate", "--jobs", "0"], {}, "--jobs must be 1 or more"),
        (["url", "--role", "nobody"], {}, "no URL leads to nobody"),
        (["url", "--role", "saas_dba"], {"SAAS_API_DATABASE_URL": NOWHERE}, "no URL leads to"),
        (["bootstrap", "--admin-url", NOWHERE], {}, "cannot connect with the admin URL"),
        (["bootstrap", "--admin-url", "hush=="], {}, "the admin URL is no libpq URL"),
    ],
)
def test_failure_is_one_line_without_secrets(
    tmp_path: Path, arguments: list[str], environ: dict[str, str], message: str
) -> None:
    result = saas_api(*arguments, home=tmp_path, **environ)
    assert result.returncode == 1
    assert message in result.stderr
    assert result.stderr.startswith("saas-api: ")
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert "hush" not in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [[], ["unknown"], ["bootstrap"], ["serve", "--unknown"], ["maintain", "--keep-audit-months=x"]],
)
def test_wrong_usage_is_one_line_and_status_2(arguments: list[str]) -> None:
    result = saas_api(*arguments)
    assert result.returncode == 2
    assert result.stderr.startswith("saas-api: ")
    assert len(result.stderr.splitlines()) == 1, result.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folder_that_cannot_be_written_is_named_in_full(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    result = saas_api("url", home=tmp_path)
    assert f"cannot write to {tmp_path}/.data" in result.stderr

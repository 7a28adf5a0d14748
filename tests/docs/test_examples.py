"""What the documents tell a newcomer to type does what they say, against a real server."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.docs.newcomer import Server

UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ][0-9:.]+(?:Z|\+00(?::00)?)")
CURSOR = re.compile(r'"next_cursor" : "[A-Za-z0-9_-]+"')
# psql makes a column as wide as its longest value, and microseconds have up to six digits.
WIDTH = re.compile(r"(?<=  ) +|(?<=---)-+")
REQUEST_ID = re.compile(r'"instance": "[0-9a-f]{32}"')
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROMPT = re.compile(r"^saas=[*!]?> ", re.MULTILINE)
MARK = "----- end of block -----"


def _blocks(page: Path) -> list[tuple[str, str]]:
    """Language and text of each fenced block."""
    return BLOCK.findall(page.read_text())


def _ten_lines(root: Path) -> str:
    return next(text for language, text in _blocks(root / "README.md") if language == "bash")


def _normal(text: str) -> str:
    """Without what differs from run to run, and without white space at line ends."""
    text = REQUEST_ID.sub('"instance": "…"', TIME.sub("<time>", UUID.sub("<uuid>", text)))
    text = CURSOR.sub('"next_cursor" : "…"', text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def test_readme_ten_lines_work_when_pasted(root: Path, server: Server) -> None:
    block = _ten_lines(root)
    assert len(block.splitlines()) == 10
    user, created, found, refused = server.bash(block).splitlines()
    assert '"email":"ada@example.com"' in user or "email-taken" in user
    assert '"name":"Apollo"' in created
    assert re.search(r'"total" ?: ?1\b', found)
    assert '"status": 404' in refused


@pytest.mark.parametrize("page", ["tutorial.md", "walkthrough.md", "how-to/find-drift.md"])
def test_page_prints_what_it_says(root: Path, server: Server, page: str) -> None:
    blocks = _blocks(root / "docs" / page)
    scripts = [text for language, text in blocks if language == "bash"]
    printed = server.bash("".join(f"{script}echo '{MARK}'\n" for script in scripts)).split(MARK)
    expected = []
    for (language, _), (following, output) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if language == "bash":
            expected.append(output if following == "text" else "")
    assert [_normal(each) for each in printed[:-1]] == [_normal(each) for each in expected]


@pytest.mark.parametrize("page", ["become-a-tenant-in-psql.md", "explain-a-hidden-row.md"])
def test_psql_transcript_is_what_psql_prints(root: Path, server: Server, page: str) -> None:
    blocks = _blocks(root / "docs/how-to" / page)
    shell = next(text for language, text in blocks if language == "bash")
    transcript = "".join(text for language, text in blocks if language == "psql")
    commands = [line for line in transcript.splitlines() if PROMPT.match(line)]
    typed = "".join(f"{PROMPT.sub('', command)}\n" for command in commands)
    script = f"{_ten_lines(root)}echo '{MARK}'\n{shell.strip()} -a <<'TYPED'\n{typed}TYPED\n"
    printed = server.bash(script).split(f"{MARK}\n")[1]
    shown = _normal(PROMPT.sub("", transcript))
    assert WIDTH.sub("", _normal(printed)) == WIDTH.sub("", shown)


def test_seal_key_can_be_changed_as_the_threat_model_says(root: Path, server: Server) -> None:
    blocks = _blocks(root / "docs/explanation/threat-model.md")
    statements = next(text for language, text in blocks if language == "sql")
    keys = "select encode(inner_key || outer_key, 'hex') from auth.seal_key"
    psql = ".venv/bin/saas-api psql --role postgres -- -X -qAt"
    script = f'{psql} -c "{keys}"\n{psql} <<\'TYPED\'\n{statements}TYPED\n{psql} -c "{keys}"\n'
    before, after = (bytes.fromhex(line) for line in server.bash(script).splitlines())
    assert before != after
    for each in (before, after):
        inner, outer = each[:64], each[64:]
        assert {a ^ b for a, b in zip(inner, outer, strict=True)} == {0x36 ^ 0x5C}
        assert inner[32:] == b"\x36" * 32
        assert inner[:32] != b"\x36" * 32
    assert '"status": 404' in server.bash(_ten_lines(root)).splitlines()[-1]


def test_smoke_demo_plays_its_story(root: Path, server: Server) -> None:
    script = f"SAAS_API_DEMO_BASE_URL={server.url} '{root}/scripts/smoke-demo.sh'; echo status $?"
    first, *steps, last, status = server.bash(script).splitlines()
    assert status == "status 0"
    assert first.startswith(f"against {server.url}, run ")
    assert all(re.fullmatch(r"ok   [2-5]\d\d  .+", step) for step in steps), steps
    assert last == f"all {len(steps)} answers as expected"


def test_smoke_demo_twice_with_one_run_id_is_a_surprise(root: Path, server: Server) -> None:
    script = (
        f"export SAAS_API_DEMO_BASE_URL={server.url} SAAS_API_DEMO_RUN_ID=twice\n"
        f"'{root}/scripts/smoke-demo.sh' >/dev/null; echo status $?\n"
        f"'{root}/scripts/smoke-demo.sh'; echo status $?\n"
    )
    lines = server.bash(script).splitlines()
    assert lines[0] == "status 0"
    assert lines[-1] == "status 1"
    assert "FAIL 409  Ada registers" in lines


def test_smoke_demo_without_a_server_says_so_in_one_line(root: Path) -> None:
    done = subprocess.run(
        [root / "scripts/smoke-demo.sh"],
        env={"SAAS_API_DEMO_BASE_URL": "http://127.0.0.1:9", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "is it running?" in done.stderr.splitlines()[-1]


def test_smoke_demo_prints_no_secret(root: Path, server: Server) -> None:
    script = f"SAAS_API_DEMO_BASE_URL={server.url} bash -x '{root}/scripts/smoke-demo.sh' 2>trace\n"
    printed = server.bash(script)
    trace = (server.folder / "trace").read_text()
    secrets = set(re.findall(r"token_(?:ada|grace)=(\S+)", trace))
    secrets |= set(re.findall(r"^\+ password=(\S+)", trace, re.MULTILINE))
    assert len(secrets) == 3
    assert not [secret for secret in secrets if secret in printed]

"""
schemathesis against the server: everything the description says, and everything it forbids.

Property-based: every endpoint, with data that fits and data that does not, alone and in sequences
along the links. It finds nothing, or this fails. What it is told to leave alone, with the reasons,
is in schemathesis.toml beside this file. FUZZ_SECONDS is how long it may try, 12 by default.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from api.settings import Settings

if TYPE_CHECKING:
    from tests.api.conftest import Api, Caller

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
SECONDS = int(os.environ.get("FUZZ_SECONDS", "12"))


@pytest.fixture
def settings(database_url: str) -> Settings:
    """The description is served, and a token outlives the test."""
    return Settings(
        database_url=database_url, docs_enabled=True, access_token_ttl_seconds=24 * 3600
    )


def account(user: "Caller") -> dict[str, Any]:
    """A user as schemathesis has it (Web Fuzzing Commons)."""
    header = {"name": "Authorization", "value": f"Bearer {user.token}"}
    return {"name": user.email.partition("@")[0], "fixedHeaders": [header]}


async def test_schemathesis_finds_nothing(api: "Api", tmp_path: Path) -> None:
    users = [await api.user("ada"), await api.user("bob")]
    accounts = tmp_path / "accounts.json"
    accounts.write_text(json.dumps({"auth": [account(user) for user in users]}))
    environ = {**os.environ, "ACCOUNTS": str(accounts)}
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        f"--config-file={CONFIGURATION}",
        "run",
        str(api.client.make_url("/openapi.json")),
        "--checks=all",
        f"--max-time={SECONDS}",
        cwd=tmp_path,
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), 2 * SECONDS + 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, said.decode()

"""The server as a process of its own, for tests that need more than one worker."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SERVE = """
import os, sys
from api import passwords, server, settings
passwords.DEFAULT = passwords.Parameters(8, 1, 1)
sys.exit(server.serve(settings.load(os.environ)))
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its process, its address, and where its temporary files are."""

    process: subprocess.Popen[str]
    url: str
    temporary: Path


@contextlib.contextmanager
def serving(database_url: str, temporary: Path, **variables: str) -> Iterator[Server]:
    """Serve on a free port of loopback, with these variables; ended at the end."""
    environ = {
        **os.environ,
        "SAAS_API_DATABASE_URL": database_url,
        "SAAS_API_PORT": "0",
        "TMPDIR": str(temporary),
        **variables,
    }
    with (temporary / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE],
            env=environ,
            stdout=log,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    assert process.stderr is not None
    try:
        line = process.stderr.readline()
        assert " listens on " in line, line
        yield Server(process, line.rstrip().partition(" listens on ")[2], temporary)
    finally:
        # In order, so that what its processes have covered is written down.
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

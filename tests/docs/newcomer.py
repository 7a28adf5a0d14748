"""A server as a newcomer has it: `saas-api serve` in an empty folder, all by default."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

COMMAND = Path(sys.executable).with_name("saas-api")
START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Server:
    """Where it listens, and the folder it runs in, with `.venv/bin/saas-api` and `.data/`."""

    url: str
    folder: Path
    environ: dict[str, str]

    def bash(self, script: str, **environ: str) -> str:
        """Run a script of the documents in the folder; what it printed, errors in their place."""
        done = subprocess.run(
            ["bash", "-c", script.replace("http://127.0.0.1:8000", self.url)],
            cwd=self.folder,
            env=self.environ | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=120,
            check=False,
        )
        return done.stdout


@contextmanager
def serve(folder: Path, environ: dict[str, str]) -> Iterator[Server]:
    """Start a server in an empty folder; afterwards it and its PostgreSQL are stopped."""
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "saas-api").symlink_to(COMMAND)
    said = folder / "serve.log"
    with said.open("w") as log:
        process = subprocess.Popen(
            [COMMAND, "serve", "--port", "0"],
            cwd=folder,
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    try:
        yield Server(_address(process, said), folder, environ)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        subprocess.run(
            [COMMAND, "stop"], cwd=folder, env=environ, capture_output=True, check=True, timeout=60
        )


def _address(process: subprocess.Popen[bytes], said: Path) -> str:
    """What the server says that it listens on."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if found := re.search(r"listens on (http://\S+)\n", said.read_text()):
            return found.group(1)
        time.sleep(0.05)
    raise AssertionError(f"saas-api serve does not listen: {said.read_text()}")

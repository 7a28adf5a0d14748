"""Guardrails are run as they are in the gate: as scripts."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "scripts" / "guardrails"
API = Path(__file__).parents[2] / "api"


def run(name: str, *arguments: object, **variables: str) -> tuple[int, str]:
    """A guardrail's exit status, and all it said."""
    result = subprocess.run(
        [sys.executable, SCRIPTS / name, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables},
    )
    return result.returncode, result.stdout + result.stderr

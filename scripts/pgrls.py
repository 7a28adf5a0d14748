"""
Lint the policies with pgrls, and let it prove what it can read, on a scratch database.

policies/pgrls.toml says what is let through and why. Exit status 0, or 1 for a finding of the
linter or for a row that the prover sees leak. What it cannot read it calls UNVERIFIED: tests/sql
and `saas-api policies matrix` prove that by running.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from api.policies import databases  # noqa: E402

CONFIG = ROOT / "policies" / "pgrls.toml"
MODES = ("anon", "cross-tenant", "write", "reachability", "escalation")


def main() -> int:
    """Run all of it; the exit status."""
    rules = tomllib.loads(CONFIG.read_text())["lint"]["rules"]
    functions = [f"--auth-function={name}" for name in rules["SEC004"]["auth_functions"]]
    with databases.scratch() as directory:
        url = databases.copy(databases.start(directory), databases.MIGRATED).admin_url

        def pgrls(*arguments: str) -> int:
            print("pgrls", *arguments, flush=True)
            program = str(Path(sys.executable).with_name("pgrls"))
            asked = [program, *arguments, "--config", str(CONFIG), "--database-url", url]
            return subprocess.run(asked, check=False).returncode

        ended = [pgrls("verify", "--mode", mode, *functions) for mode in MODES]
        ended.append(pgrls("lint"))
    return int(any(ended))


if __name__ == "__main__":
    sys.exit(main())

"""
Make a database for pgTAP files by hand, and print its URL.

    pg_prove -d "$(.venv/bin/python scripts/pgtap_database.py)" --recurse tests/sql/policies
    psql "$(.venv/bin/python scripts/pgtap_database.py)" -f tests/sql/invariants.sql

It is on a server of its own in .data/tests, made from the present files anew each time.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from api.policies import databases  # noqa: E402

DIRECTORY = ROOT / ".data" / "tests"

if __name__ == "__main__":
    databases.stop(DIRECTORY)
    server = databases.start(DIRECTORY)
    databases.ensure_pgtap(DIRECTORY, server)
    print(databases.copy(server, databases.PGTAP).admin_url)

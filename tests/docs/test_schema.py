"""The generated reference of the schema is that of the SQL as it stands."""

import subprocess
import sys
from pathlib import Path

from tests.docs.newcomer import Server


def test_schema_page_is_current(root: Path, server: Server) -> None:
    url = server.bash(".venv/bin/saas-api url").strip()
    generated = subprocess.run(
        [sys.executable, root / "scripts/schema_reference.py", url],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    committed = (root / "docs/reference/schema.md").read_text()
    assert committed == generated, "run make docs"


def test_schema_page_leaves_nothing_uncommented(root: Path) -> None:
    page = (root / "docs/reference/schema.md").read_text()
    assert "None" not in page
    assert "|  |\n" not in page

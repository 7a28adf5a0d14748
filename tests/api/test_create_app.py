"""What has to be there before anything is served."""

import os

import pytest

from api.app import create_app
from api.calls import SERVICES
from api.server import serve
from api.settings import Settings


def test_app_without_a_database_url_is_refused() -> None:
    with pytest.raises(ValueError, match="database_url"):
        create_app(Settings())
    with pytest.raises(ValueError, match="database_url"):
        serve(Settings())


@pytest.mark.parametrize(("workers", "threads"), [(1, 4), (2, 2), (3, 1), (8, 1)])
def test_workers_share_the_cores_for_their_passwords(
    monkeypatch: pytest.MonkeyPatch, workers: int, threads: int
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    settings = Settings(database_url="postgresql://u@127.0.0.1:1/d", workers=workers)
    assert create_app(settings)[SERVICES].passwords._threads._max_workers == threads

"""What has to be there before anything is served."""

import pytest

from api.app import create_app
from api.server import serve
from api.settings import Settings


def test_app_without_a_database_url_is_refused() -> None:
    with pytest.raises(ValueError, match="database_url"):
        create_app(Settings())
    with pytest.raises(ValueError, match="database_url"):
        serve(Settings())

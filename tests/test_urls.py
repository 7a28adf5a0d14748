"""URLs that libpq and asyncpg both read, whatever is in their parts."""

import pytest
from psycopg.conninfo import conninfo_to_dict

from api import urls


@pytest.mark.parametrize(
    ("parts", "url"),
    [
        ({"user": "u", "dbname": "d", "host": "h"}, "postgresql://u@h/d"),
        ({"user": "u", "dbname": "d", "host": "h", "port": "1"}, "postgresql://u@h:1/d"),
        ({"user": "u", "dbname": "d", "host": "::1", "port": "1"}, "postgresql://u@[::1]:1/d"),
        ({"user": "u", "dbname": "d", "host": "/s"}, "postgresql://u@/d?host=%2Fs"),
        ({"user": "u", "dbname": "d", "host": "a,b"}, "postgresql://u@/d?host=a%2Cb"),
        ({"user": "u@x", "password": "p:/?#", "dbname": "d d", "host": "h"}, None),
        ({"user": "u", "dbname": "d", "host": "h", "options": "-c role=saas_owner"}, None),
    ],
)
def test_parts_that_become_a_url_are_read_from_it(parts: dict[str, str], url: str | None) -> None:
    built = urls.build(parts)
    assert url is None or built == url
    assert conninfo_to_dict(built) == parts


def test_parts_replaced_leave_the_others() -> None:
    assert urls.replace("postgresql://u:p@h:1/d", dbname="e", user="v") == "postgresql://v:p@h:1/e"

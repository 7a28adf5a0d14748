"""libpq URLs: taken apart, put together again for another role or database, and opened."""

from typing import Any
from urllib.parse import quote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict

from api.failure import Failure


def parse(url: str, *, name: str) -> dict[str, Any]:
    """
    The parts of a libpq URL or connection string, without defaults.

    `name` is where it came from (a variable, an option), for the message.
    Errors: Failure when libpq cannot read it; the message holds no part of the URL.
    """
    try:
        return {key: value for key, value in conninfo_to_dict(url).items() if value is not None}
    except psycopg.ProgrammingError:
        raise Failure(
            f"{name} is no libpq URL: write postgresql://role:password@host:5432/database"
        ) from None


def build(parts: dict[str, Any]) -> str:
    """A URL that libpq and asyncpg both read; a socket directory goes into the query."""
    rest = dict(parts)
    user = quote(str(rest.pop("user", "")), safe="")
    password = quote(str(rest.pop("password", "")), safe="")
    database = quote(str(rest.pop("dbname", "")), safe="")
    host = str(rest.get("host", ""))
    place = ""
    if host and not host.startswith("/") and "," not in host:
        place = f"[{host}]" if ":" in host else host
        del rest["host"]
        if port := rest.pop("port", None):
            place += f":{port}"
    login = user + (f":{password}" if password else "")
    query = urlencode(rest, quote_via=quote)
    return f"postgresql://{login}@{place}/{database}" + (f"?{query}" if query else "")


def replace(url: str, **parts: str) -> str:
    """The same URL with some of its parts exchanged, for example `dbname="postgres"`."""
    return build({**parse(url, name="the URL"), **parts})


def connect(url: str, *, name: str, **parameters: Any) -> psycopg.Connection:
    """
    Open an autocommit connection.

    `name` is where the URL came from; `parameters` are libpq's, and win over the URL's.
    Errors: Failure with libpq's reason, which holds no password.
    """
    parse(url, name=name)
    try:
        return psycopg.connect(url, autocommit=True, **parameters)
    except psycopg.OperationalError as error:
        raise Failure(f"cannot connect with {name}: {error}") from None

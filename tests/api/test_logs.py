"""Log lines: JSON, the fields of the contract, and nothing secret."""

import json
import logging
import os
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from api.logs import JsonFormatter, RequestLog, describe

if TYPE_CHECKING:
    from tests.api.conftest import Api

FIELDS = {
    "timestamp",
    "level",
    "message",
    "request_id",
    "method",
    "route",
    "status",
    "duration_ms",
    "environment",
    "process",
}
RFC3339 = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


async def test_request_line_has_the_fields_of_the_contract(
    offline: "Api", capsys: pytest.CaptureFixture[str]
) -> None:
    await offline.send("GET", "/orgs/secret-id?secret=1", headers={"X-Request-ID": "r-1"})
    (line,) = lines(capsys)
    assert set(line) == FIELDS
    assert line["duration_ms"] >= 0
    assert re.fullmatch(RFC3339, line["timestamp"])
    assert datetime.fromisoformat(line["timestamp"]).tzinfo is not None
    assert line | {"timestamp": 0, "duration_ms": 0} == {
        "timestamp": 0,
        "level": "INFO",
        "message": "request",
        "request_id": "r-1",
        "method": "GET",
        "route": "/orgs/{organisation_id}",
        "status": 401,
        "duration_ms": 0,
        "environment": "local",
        "process": os.getpid(),
    }


async def test_request_line_of_an_unknown_path_has_no_route(
    offline: "Api", capsys: pytest.CaptureFixture[str]
) -> None:
    await offline.get("/secret-path")
    (line,) = lines(capsys)
    assert (line["route"], line["status"]) == (None, 404)


async def test_log_of_registration_and_login_holds_no_secret(
    api: "Api", capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ada = await api.user("ada")
    await api.register("ada@example.com")
    await api.login("ada@example.com", "wrong password, secret")
    await ada.get("/me")
    logged = capsys.readouterr().out + caplog.text
    for secret in ("correct horse", "wrong password", "ada@example.com", str(ada.token)):
        assert secret not in logged


@pytest.mark.parametrize(
    ("level", "statuses"), [("INFO", [200, 404, 503]), ("WARNING", [503]), ("CRITICAL", [])]
)
def test_request_log_respects_the_level(
    capsys: pytest.CaptureFixture[str], level: str, statuses: list[int]
) -> None:
    log = RequestLog(level=level, environment="e")
    for status in (200, 404, 503):
        log.write("i", "GET", "/me", status, 0.0015)
    assert [line["status"] for line in lines(capsys)] == statuses


def test_request_log_without_a_reader_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def write(self, _text: str) -> None:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stdout", Gone())
    RequestLog(level="INFO", environment="e").write("i", "GET", None, 200, 0.1)


def test_formatter_line_is_json_with_the_exception_but_not_its_text() -> None:
    try:
        try:
            int("secret-value")
        except ValueError as error:
            raise RuntimeError("secret-text") from error
    except RuntimeError as error:
        record = logging.LogRecord(
            "name", logging.ERROR, "f", 1, "failed %s", ("twice",), (type(error), error, None)
        )
    record.request_id = "r-2"
    text = JsonFormatter("test").format(record)
    line = json.loads(text)
    assert (line["message"], line["request_id"], line["environment"]) == (
        "failed twice",
        "r-2",
        "test",
    )
    types = [entry["type"] for entry in line["exception"]]
    assert types == ["builtins.RuntimeError", "builtins.ValueError"]
    assert re.search(r"test_logs\.py:\d+ in ", line["exception"][0]["frames"][0])
    assert "secret" not in text


def test_describe_os_error_has_its_text() -> None:
    (entry,) = describe(FileNotFoundError(2, "No such file", "cert.pem"))
    assert "cert.pem" in entry["text"]


async def test_unexpected_exception_is_logged_with_its_request(
    offline: "Api", monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_self: object, _header: str | None) -> bytes:
        raise ValueError("x")

    monkeypatch.setattr("api.credentials.Credentials.digest", fail)
    answer = await offline.get("/me")
    (record,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert vars(record)["request_id"] == answer.headers["X-Request-ID"]
    assert vars(record)["route"] == "/me"

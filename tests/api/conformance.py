"""
Whether an answer is as the description of the API says: status, headers, media type, body.

Every answer that a test of tests/api gets through a `Caller` is checked by `check`. The schemas are
closed for it: a field that is sent and not described is a fault too.
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from api import openapi
from api.settings import Settings

UNDESCRIBED = {405, 500}  # no operation answers so by design
# What HTTP and the frame put on every answer, CORS on those that are shared.
COMMON = {
    "Access-Control-Allow-Credentials",
    "Access-Control-Allow-Origin",
    "Access-Control-Expose-Headers",
    "Cache-Control",
    "Connection",
    "Content-Length",
    "Content-Type",
    "Date",
    "Server",
    "Vary",
    "X-Content-Type-Options",
}
PARAMETER = re.compile(r"\\\{\w+\\\}")


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the description: its id, where it is, and its responses by status."""

    id: str
    method: str
    path: re.Pattern[str]
    responses: Mapping[str, Any]


class Description:
    """The description, with its references followed and its schemas compiled."""

    def __init__(self, settings: Settings) -> None:
        self.document = openapi.document(settings)
        self.operations = [
            Operation(
                id=operation["operationId"],
                method=method.upper(),
                path=re.compile(PARAMETER.sub("[^/]+", re.escape(path))),
                responses=operation["responses"],
            )
            for path, item in self.document["paths"].items()
            for method, operation in item.items()
        ]
        self._validators: dict[str, jsonschema_rs.Draft202012Validator] = {}

    def find(self, method: str, path: str) -> Operation | None:
        """The operation that a request means, if there is one."""
        method = "GET" if method == "HEAD" else method
        for operation in self.operations:
            if operation.method == method and operation.path.fullmatch(path):
                return operation
        return None

    def check(
        self, method: str, path: str, status: int, headers: Mapping[str, str], body: object
    ) -> str | None:
        """
        Hold an answer to the description, and return its operation's id. None: not described.

        Errors: AssertionError that says what differs.
        """
        operation = self.find(method, path)
        if operation is None or status in UNDESCRIBED:
            return None
        told = f"{operation.id} {status}"
        assert str(status) in operation.responses, f"{told} is not described"
        response = self._resolve(operation.responses[str(status)])
        described = response.get("headers", {})
        undescribed = headers.keys() - described.keys() - COMMON
        assert not undescribed, f"{told} has {undescribed}, which are not described"
        for name, reference in described.items():
            self._check_header(f"{told} {name}", self._resolve(reference), headers.get(name))
        content = response.get("content")
        if content is None:
            assert not body, f"{told} has a body"
        else:
            media_type = headers["Content-Type"].partition(";")[0]
            assert media_type in content, f"{told} is {media_type}"
            if method != "HEAD":
                self._check_body(told, content[media_type], body)
        return operation.id

    def validate(self, schema: Mapping[str, Any], value: object) -> None:
        """Hold a value to one of the document's schemas. Errors: jsonschema_rs.ValidationError."""
        self._validator(schema).validate(value)

    def _check_header(self, told: str, header: Mapping[str, Any], value: str | None) -> None:
        if value is None:
            assert not header.get("required"), f"{told} is missing"
            return
        given = int(value) if header["schema"]["type"] == "integer" else value
        self.validate(header["schema"], given)

    def _check_body(self, told: str, content: Mapping[str, Any], body: Any) -> None:
        error = next(self._validator(content["schema"]).iter_errors(body), None)
        assert error is None, f"{told}: {error}"
        if "examples" in content:
            kind = body["type"].rpartition(":")[2]
            assert kind in content["examples"], f"{told} is not described as {kind}"

    def _resolve(self, thing: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" not in thing:
            return thing
        found: Any = self.document
        for part in thing["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return self._resolve(found)

    def _validator(self, schema: Mapping[str, Any]) -> jsonschema_rs.Draft202012Validator:
        key = repr(schema)
        if key not in self._validators:
            whole = {**closed(schema), "components": closed(self.document["components"])}
            self._validators[key] = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        return self._validators[key]


def closed(schema: Any) -> Any:
    """The same schema, in which an object has the properties it names and no others."""
    match schema:
        case dict():
            copy = {name: closed(each) for name, each in schema.items()}
            if schema.get("type") == "object" and "properties" in schema:
                copy.setdefault("additionalProperties", False)
            return copy
        case list():
            return [closed(each) for each in schema]
        case _:
            return schema


@functools.cache
def description(password_min_length: int) -> Description:
    """The description for what of the settings it depends on."""
    return Description(Settings(password_min_length=password_min_length))

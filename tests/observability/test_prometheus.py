"""The real Prometheus scrapes the real API, two workers and a token, and answers every query."""

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.observability import promql
from tests.observability.test_dashboards import panels
from tests.serving import serving

TOKEN = "a-metrics-token"
SECONDS = 40


def send(method: str, url: str, body: object = None, **headers: str) -> Any:
    """One request, and its JSON; an HTTP error is an answer too."""
    data = None if body is None else json.dumps(body).encode()
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    headers["Content-Type"] = "application/json"
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.loads(response.read() or b"null")
    except urllib.error.HTTPError as error:
        return json.loads(error.read())


def tell_a_story(api: str) -> Callable[[], None]:
    """A little of everything that is counted; returns what reads twenty pages of projects."""
    ada = {"email": "ada@example.com", "password": "correct horse battery staple"}
    send("POST", f"{api}/auth/register", ada)
    send("POST", f"{api}/auth/login", ada | {"password": "wrong password"})
    token = "Bearer " + send("POST", f"{api}/auth/login", ada)["access_token"]
    organisation = send("POST", f"{api}/orgs", {"name": "Acme"}, Authorization=token)
    acme = f"{api}/orgs/{organisation['organisation_id']}"
    for name in ("Apollo", "Apollo", "Other"):
        body = {"name": name}
        send("POST", f"{acme}/projects", body, Authorization=token, Idempotency_Key="k")
    key = send("POST", f"{acme}/api-keys", {"name": "deploy"}, Authorization=token)
    send("DELETE", f"{acme}/api-keys/{key['api_key_id']}", Authorization=token)

    def read() -> None:
        for _ in range(20):
            send("GET", f"{acme}/projects", Authorization=token)

    return read


class Prometheus:
    """A running Prometheus, asked over HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, **query: str) -> Any:
        answer = send("GET", f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}")
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> list[float]:
        """The values that are there now."""
        found = self.ask("query", query=expression)["result"]
        return [float(each["value"][1]) for each in found]

    def until(self, holds: Callable[[], object], what: str) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                if holds():
                    return
            except (urllib.error.URLError, json.JSONDecodeError):
                pass  # not up yet, or up and not ready
            assert time.monotonic() < deadline, what
            time.sleep(0.2)


@pytest.fixture
def api(database: Any, tmp_path: Path) -> Iterator[str]:
    """The API with two workers and a metrics token."""
    variables = {"SAAS_API_WORKERS": "2", "SAAS_API_METRICS_TOKEN": TOKEN}
    with serving(database.api_url, tmp_path, **variables) as server:
        yield server.url


@pytest.fixture
def watching(prometheus: str, api: str, tmp_path: Path) -> Iterator[Prometheus]:
    """A Prometheus with the project's configuration, but for addresses and paces."""
    folder = tmp_path / "prometheus"
    shutil.copytree(promql.RULES, folder / "rules")
    for path in (folder / "rules").iterdir():
        text = yaml.safe_load(path.read_text())
        for group in text["groups"]:
            group["interval"] = "1s"
        path.write_text(yaml.safe_dump(text))
    (folder / "token").write_text(TOKEN)
    config = yaml.safe_load((promql.FOLDER / "prometheus" / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s"}
    job = config["scrape_configs"][0]
    job["authorization"]["credentials_file"] = "token"
    job["static_configs"][0]["targets"] = [api.removeprefix("http://")]
    config["scrape_configs"] = [job]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with (tmp_path / "prometheus.log").open("w") as log:
        process = subprocess.Popen(
            [
                prometheus,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={address}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        server = Prometheus(f"http://{address}")
        server.until(lambda: server.query('up{job="saas-api"}') == [1.0], "the API is scraped")
        yield server
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_scrape_rules_and_dashboard_work_in_the_real_prometheus(
    watching: Prometheus, api: str
) -> None:
    read = tell_a_story(api)
    read()
    created = "saas_api_projects_created_total"
    watching.until(lambda: watching.query(created) == [1.0], "the project is counted once")
    watching.until(lambda: watching.query(f"rate({created}[1m]) > 0"), "it has a rate")
    route = "/orgs/{organisation_id}/projects"
    listed = f'saas_api_requests_total{{method="GET",route="{route}",status="200"}}'
    watching.until(lambda: watching.query(listed) == [20.0], "twenty pages are counted")
    read()
    watching.until(lambda: watching.query(listed) == [40.0], "and twenty more")
    for name in (rule["record"] for rule in promql.rules("recording.yml")):
        watching.until(partial(watching.query, name), name)
    for _, panel in panels():
        for target in panel["targets"]:
            expression = target["expr"].replace("$__rate_interval", "1m")
            watching.until(partial(watching.query, expression), expression)

    groups = watching.ask("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) > 20
    assert {rule["health"] for rule in rules} == {"ok"}
    assert watching.ask("alerts")["alerts"] == []

    refused = send("GET", f"{api}/metrics", Authorization="Bearer no")
    assert refused["status"] == 401

"""docker-compose.yml, Dockerfile and the secrets' script: no engine needed to know these things."""

import os
import re
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from api import settings, urls
from tests.observability import promql

ROOT = promql.ROOT
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: Mapping[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOT = {"bootstrap", "migrate"}
OUR_IMAGE = {"api", *ONE_SHOT}
PINNED = re.compile(r"[a-z/-]+:v?\d+\.\d+[\w.-]*@sha256:[0-9a-f]{64}")
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def environment(path: Path) -> dict[str, str]:
    """The variables of an env file."""
    pairs = (line.partition("=") for line in path.read_text().splitlines() if line)
    return {name: value for name, _, value in pairs}


def make_secrets(directory: Path) -> None:
    script = ROOT / "scripts" / "compose-secrets.sh"
    subprocess.run([str(script), str(directory)], check=True, capture_output=True)


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """Secrets as the script makes them."""
    make_secrets(tmp_path / "secrets")
    return tmp_path / "secrets"


def test_compose_file_fits_its_published_schema() -> None:
    program = Path(sys.executable).parent / "check-jsonschema"
    done = subprocess.run(
        [program, "--builtin-schema", "vendor.compose-spec", ROOT / "docker-compose.yml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_images_are_pinned_by_tag_and_digest() -> None:
    for name, service in SERVICES.items():
        if name in OUR_IMAGE:
            assert (service["image"], service["build"]) == ("saas-api:local", ".")
        else:
            assert PINNED.fullmatch(service["image"]), name
    (base,) = re.findall(r"^ARG PYTHON=(.+)$", DOCKERFILE, re.MULTILINE)
    assert PINNED.fullmatch(base)
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"${PYTHON}"}
    assert re.fullmatch(r"postgres:18\..*", SERVICES["postgres"]["image"])


@pytest.mark.parametrize("name", SERVICES)
def test_container_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"].partition(":")[0] not in {"", "0", "root"}
    assert not service.get("privileged")
    if name != "postgres":
        assert service["read_only"] is True
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:")


def test_api_container_is_the_user_of_its_image_on_a_read_only_root() -> None:
    assert SERVICES["api"]["user"] == "10001:10001"
    assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.MULTILINE)
    assert SERVICES["api"]["tmpfs"]


def test_dockerfile_installs_by_hash_and_checks_health() -> None:
    installs = re.findall(r"pip install (.+?)(?: \\| ?$|$)", DOCKERFILE, re.MULTILINE)
    assert len(installs) == 3
    assert all("--require-hashes" in line or "--no-index" in line for line in installs)
    assert "HEALTHCHECK" in DOCKERFILE


def test_every_lasting_service_has_a_health_check_and_starts_in_order() -> None:
    for name, service in SERVICES.items():
        if name in ONE_SHOT:
            assert service["restart"] == "no"
        else:
            assert service["healthcheck"]["test"][0] == "CMD"
    order = {name: service.get("depends_on", {}) for name, service in SERVICES.items()}
    done, healthy = "service_completed_successfully", "service_healthy"
    assert order == {
        "postgres": {},
        "bootstrap": {"postgres": {"condition": healthy}},
        "migrate": {"bootstrap": {"condition": done}},
        "api": {"migrate": {"condition": done}},
        "prometheus": {"api": {"condition": healthy}},
        "grafana": {"prometheus": {"condition": healthy}},
    }


def test_networks_let_only_those_meet_who_must() -> None:
    members: dict[str, set[str]] = {}
    for name, service in SERVICES.items():
        for network in service["networks"]:
            members.setdefault(network, set()).add(name)
    inner = {name for name, network in COMPOSE["networks"].items() if network.get("internal")}
    assert {network: members[network] for network in inner} == {
        "database": {"postgres", "bootstrap", "migrate", "api"},
        "metrics": {"api", "prometheus"},
        "dashboards": {"prometheus", "grafana"},
    }
    assert members["outside"] == {name for name, s in SERVICES.items() if "ports" in s}


def test_mounted_files_are_there_and_where_their_readers_look() -> None:
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            if source.startswith("."):
                assert (ROOT / source).exists(), (name, source)
                assert volume.endswith(":ro")
            else:
                assert source in COMPOSE["volumes"]
    config = yaml.safe_load((promql.FOLDER / "prometheus" / "prometheus.yml").read_text())
    job = config["scrape_configs"][0]
    assert job["authorization"]["credentials_file"] == "/run/secrets/metrics_token"
    assert "metrics_token" in SERVICES["prometheus"]["secrets"]
    assert job["static_configs"] == [{"targets": ["api:8000"]}]
    provider = yaml.safe_load(
        (promql.FOLDER / "grafana/provisioning/dashboards/saas-api.yml").read_text()
    )["providers"][0]
    path = provider["options"]["path"]
    assert f"./observability/grafana/dashboards:{path}:ro" in SERVICES["grafana"]["volumes"]


def test_script_makes_every_secret_that_compose_names(secrets: Path) -> None:
    named = {secret["file"] for secret in COMPOSE["secrets"].values()}
    for service in SERVICES.values():
        named |= set(service.get("env_file", []))
        assert set(service.get("secrets", [])) <= COMPOSE["secrets"].keys()
    assert {f"secrets/{path.name}" for path in secrets.iterdir()} == named


def test_secrets_are_closed_to_others_random_and_kept(secrets: Path, tmp_path: Path) -> None:
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets.iterdir()} == {0o644}
    before = {path.name: path.read_bytes() for path in secrets.iterdir()}
    make_secrets(secrets)
    assert {path.name: path.read_bytes() for path in secrets.iterdir()} == before
    make_secrets(tmp_path / "others")
    assert all((tmp_path / "others" / name).read_bytes() != text for name, text in before.items())


def test_secrets_fit_each_other_and_the_settings(secrets: Path) -> None:
    serving = environment(secrets / "api.env")
    loaded = settings.load({**serving, "SAAS_API_ENVIRONMENT": "production"})
    assert loaded.metrics_token == (secrets / "metrics_token").read_text()
    bootstrap = environment(secrets / "bootstrap.env")
    assert bootstrap["PGPASSWORD"] == (secrets / "postgres_password").read_text()
    assert bootstrap["SAAS_API_DATABASE_URL"] == serving["SAAS_API_DATABASE_URL"]
    migrating = environment(secrets / "migrate.env")
    assert migrating.items() <= bootstrap.items()
    for role, url in (
        ("saas_api", loaded.database_url),
        ("saas_migrator", migrating["SAAS_API_MIGRATION_DATABASE_URL"]),
    ):
        parts = urls.parse(str(url), name="the URL")
        assert (parts["user"], parts["host"], parts["dbname"]) == (role, "postgres", "saas")
        assert len(parts["password"]) == 64


def test_no_secret_is_committed() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert "/secrets/" in ignored
    assert (ROOT / ".dockerignore").read_text().split("\n")[1] == "*"
    literal = re.compile(r"(?:PASSWORD|SECRET|TOKEN|_URL)\w*:", re.IGNORECASE)
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if literal.search(f"{name}:"):
                assert str(value).startswith("/run/secrets/"), name


def test_health_checks_ask_for_paths_that_are_served() -> None:
    assert "/readyz" in str(SERVICES["api"]["healthcheck"]["test"])
    assert "/healthz" in DOCKERFILE
    assert os.access(ROOT / "scripts" / "compose-secrets.sh", os.X_OK)

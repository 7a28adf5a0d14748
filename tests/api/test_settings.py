"""The environment becomes settings, or one line that names the variable."""

import pytest

from api import __version__
from api.settings import Settings, SettingsError, load

GOOD_SECRET = "k8Zp0vQ3sT6wY9bE2hK5nR8uX1cF4jM7"
PRODUCTION = {
    "SAAS_API_ENVIRONMENT": "production",
    "SAAS_API_DATABASE_URL": "postgresql://saas_api:pw@db/saas?sslmode=verify-full",
    "SAAS_API_JWT_SECRET": GOOD_SECRET,
}


def test_load_empty_environment_gives_the_defaults() -> None:
    settings = load({})
    assert settings == Settings()
    assert (settings.app_version, settings.database_url) == (__version__, None)
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8000, 1)
    assert len(settings.jwt_secret) >= 32


def test_load_empty_variables_count_as_unset() -> None:
    names = [
        "APP_NAME APP_VERSION ENVIRONMENT LOG_LEVEL DOCS_ENABLED DATABASE_URL JWT_SECRET",
        "MIGRATION_DATABASE_URL ACCESS_TOKEN_TTL_SECONDS PASSWORD_MIN_LENGTH CORS_ORIGINS HOST",
        "METRICS_TOKEN WORKERS DATABASE_POOL_SIZE STATEMENT_TIMEOUT_MS JWT_ISSUER PORT",
    ]
    assert load({f"SAAS_API_{name}": "" for name in " ".join(names).split()}) == Settings()


def test_load_every_variable_is_read() -> None:
    settings = load(
        {
            "SAAS_API_APP_NAME": "n",
            "SAAS_API_APP_VERSION": "9",
            "SAAS_API_ENVIRONMENT": "staging",
            "SAAS_API_LOG_LEVEL": "debug",
            "SAAS_API_DOCS_ENABLED": "TRUE",
            "SAAS_API_DATABASE_URL": "postgresql://a@/d?host=/run",
            "SAAS_API_MIGRATION_DATABASE_URL": "postgres://m@h/d",
            "SAAS_API_JWT_SECRET": "s",
            "SAAS_API_JWT_ISSUER": "i",
            "SAAS_API_ACCESS_TOKEN_TTL_SECONDS": "60",
            "SAAS_API_PASSWORD_MIN_LENGTH": "8",
            "SAAS_API_CORS_ORIGINS": "https://a.example, http://localhost:3000,",
            "SAAS_API_METRICS_TOKEN": "m",
            "SAAS_API_HOST": "0.0.0.0",
            "SAAS_API_PORT": "80",
            "SAAS_API_WORKERS": "2",
            "SAAS_API_DATABASE_POOL_SIZE": "3",
            "SAAS_API_STATEMENT_TIMEOUT_MS": "100",
        }
    )
    assert settings == Settings(
        app_name="n",
        app_version="9",
        environment="staging",
        log_level="DEBUG",
        docs_enabled=True,
        database_url="postgresql://a@/d?host=/run",
        migration_database_url="postgres://m@h/d",
        jwt_secret="s",
        jwt_issuer="i",
        access_token_ttl_seconds=60,
        password_min_length=8,
        cors_origins=("https://a.example", "http://localhost:3000"),
        metrics_token="m",
        host="0.0.0.0",
        port=80,
        workers=2,
        database_pool_size=3,
        statement_timeout_ms=100,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SAAS_API_PORT", "x"),
        ("SAAS_API_PORT", "65536"),
        ("SAAS_API_PORT", "٣"),
        ("SAAS_API_WORKERS", "0"),
        ("SAAS_API_WORKERS", "-1"),
        ("SAAS_API_DATABASE_POOL_SIZE", "1.5"),
        ("SAAS_API_STATEMENT_TIMEOUT_MS", "0"),
        ("SAAS_API_ACCESS_TOKEN_TTL_SECONDS", "99999999999"),
        ("SAAS_API_PASSWORD_MIN_LENGTH", "1025"),
        ("SAAS_API_LOG_LEVEL", "LOUD"),
        ("SAAS_API_DOCS_ENABLED", "maybe"),
        ("SAAS_API_DATABASE_URL", "mysql://secret@h/d"),
        ("SAAS_API_CORS_ORIGINS", "https://a.example/path"),
        ("SAAS_API_CORS_ORIGINS", "*,https://a.example"),
        ("SAAS_API_APP_NAME", "two\nlines"),
        ("SAAS_API_JWT_SECRET", "ssh-rsa AAAAB3NzaC1yc2E of a secret key"),
        ("SAAS_API_JWT_SECRET", "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----"),
        ("SAAS_API_JWT_SECRET", '{"kty": "oct", "k": "secret"}'),
        ("SAAS_API_JWT_SECRET", "not UTF-8: \udcff" + "s" * 32),
        ("SAAS_API_METRICS_TOKEN", "secret "),
        ("SAAS_API_METRICS_TOKEN", "a secret"),
        ("SAAS_API_METRICS_TOKEN", "secret\n"),
        ("SAAS_API_METRICS_TOKEN", "sécret"),
    ],
)
def test_load_bad_value_is_one_line_that_names_the_variable(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({name: value})
    message = str(caught.value)
    assert message.startswith(name + ":")
    assert "\n" not in message
    assert "secret" not in message


def test_load_production_with_everything_set_starts() -> None:
    assert load(PRODUCTION).production


@pytest.mark.parametrize("name", ["Production", " production\t", "PRODUCTION "])
def test_load_production_however_it_is_written_is_production(name: str) -> None:
    assert load(PRODUCTION | {"SAAS_API_ENVIRONMENT": name}).production
    with pytest.raises(SettingsError, match=r"^SAAS_API_JWT_SECRET: production"):
        load(PRODUCTION | {"SAAS_API_ENVIRONMENT": name, "SAAS_API_JWT_SECRET": ""})


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"SAAS_API_JWT_SECRET": ""}, "SAAS_API_JWT_SECRET"),
        ({"SAAS_API_JWT_SECRET": Settings().jwt_secret}, "SAAS_API_JWT_SECRET"),
        ({"SAAS_API_JWT_SECRET": GOOD_SECRET[:31]}, "SAAS_API_JWT_SECRET"),
        ({"SAAS_API_DATABASE_URL": ""}, "SAAS_API_DATABASE_URL"),
    ],
)
def test_load_production_refuses_placeholders(change: dict[str, str], name: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name}: production"):
        load(PRODUCTION | change)


def test_settings_repr_shows_no_secret() -> None:
    shown = repr(
        load(
            PRODUCTION
            | {
                "SAAS_API_METRICS_TOKEN": "metrics-token",
                "SAAS_API_MIGRATION_DATABASE_URL": "postgresql://m:migration-pw@h/d",
            }
        )
    )
    assert GOOD_SECRET not in shown
    assert "pw@" not in shown
    assert "metrics-token" not in shown

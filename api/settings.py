"""
The API's settings, read from the environment once, at the start.

`load` alone makes a `Settings` of it, and what serves is handed one and asks the environment
nothing. The command (`api/cli.py`) hands the environment over, and looks up a variable itself where
it needs no more than that: the URLs to bootstrap for, whether this is production, whether to show a
traceback. An empty variable counts as unset. A bad value raises `SettingsError` with one line that
names the variable, and that line never shows a secret.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from api import __version__
from api.failure import Failure

PLACEHOLDER_JWT_SECRET = "local-placeholder-secret-not-for-production"  # noqa: S105
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
ORIGIN = re.compile(r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
MINIMUM_SECRET_BYTES = 32
BEARER = re.compile("[!-~]+")  # what an `Authorization` header keeps as it is


class SettingsError(Failure):
    """A variable has a bad value; the message is one line that names the variable."""


@dataclass(frozen=True, slots=True)
class Settings:
    """
    What the environment says. Secrets, and URLs that may hold one, do not show in the repr.

    `database_url` is None for the embedded PostgreSQL: `saas-api serve` then starts it and fills
    the URL in. `metrics_token` is None when `/metrics` is open.
    """

    app_name: str = "multi-tenant-saas-api"
    app_version: str = __version__
    environment: str = "local"
    log_level: str = "INFO"
    docs_enabled: bool = False
    database_url: str | None = field(default=None, repr=False)
    migration_database_url: str | None = field(default=None, repr=False)
    jwt_secret: str = field(default=PLACEHOLDER_JWT_SECRET, repr=False)
    jwt_issuer: str = "multi-tenant-saas-api-local"
    access_token_ttl_seconds: int = 900
    password_min_length: int = 12
    cors_origins: tuple[str, ...] = ()
    metrics_token: str | None = field(default=None, repr=False)
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    database_pool_size: int = 10
    statement_timeout_ms: int = 5000

    @property
    def production(self) -> bool:
        """Whether placeholders and the embedded database are refused."""
        return is_production(self.environment)


def is_production(environment: str) -> bool:
    """Whether SAAS_API_ENVIRONMENT says production, in whatever case and with spaces around it."""
    return environment.strip().casefold() == "production"


def load(environ: Mapping[str, str]) -> Settings:
    """
    Read every setting from `environ`.

    Errors: SettingsError for the first variable with a bad value.
    """
    defaults = Settings()
    settings = Settings(
        app_name=_text(environ, "SAAS_API_APP_NAME", defaults.app_name),
        app_version=_text(environ, "SAAS_API_APP_VERSION", defaults.app_version),
        environment=_text(environ, "SAAS_API_ENVIRONMENT", defaults.environment),
        log_level=_log_level(environ, "SAAS_API_LOG_LEVEL", defaults.log_level),
        docs_enabled=_boolean(environ, "SAAS_API_DOCS_ENABLED", defaults.docs_enabled),
        database_url=_database_url(environ, "SAAS_API_DATABASE_URL"),
        migration_database_url=_database_url(environ, "SAAS_API_MIGRATION_DATABASE_URL"),
        jwt_secret=_signing_secret(environ, "SAAS_API_JWT_SECRET", defaults.jwt_secret),
        jwt_issuer=_text(environ, "SAAS_API_JWT_ISSUER", defaults.jwt_issuer),
        access_token_ttl_seconds=_integer(
            environ, "SAAS_API_ACCESS_TOKEN_TTL_SECONDS", defaults.access_token_ttl_seconds, 1
        ),
        password_min_length=_integer(
            environ, "SAAS_API_PASSWORD_MIN_LENGTH", defaults.password_min_length, 1, 1024
        ),
        cors_origins=_origins(environ, "SAAS_API_CORS_ORIGINS"),
        metrics_token=_bearer_token(environ, "SAAS_API_METRICS_TOKEN"),
        host=_text(environ, "SAAS_API_HOST", defaults.host),
        port=_integer(environ, "SAAS_API_PORT", defaults.port, 0, 65535),
        workers=_integer(environ, "SAAS_API_WORKERS", defaults.workers, 1, 1024),
        database_pool_size=_integer(
            environ, "SAAS_API_DATABASE_POOL_SIZE", defaults.database_pool_size, 1, 10_000
        ),
        statement_timeout_ms=_integer(
            environ, "SAAS_API_STATEMENT_TIMEOUT_MS", defaults.statement_timeout_ms, 1
        ),
    )
    if settings.production:
        _refuse_placeholders(settings)
    return settings


def _refuse_placeholders(settings: Settings) -> None:
    """What is convenient on a laptop and dangerous anywhere else."""
    secret = settings.jwt_secret
    if "placeholder" in secret.lower():
        raise SettingsError(
            "SAAS_API_JWT_SECRET: production needs a secret of its own (openssl rand -base64 48)"
        )
    if len(secret.encode()) < MINIMUM_SECRET_BYTES:
        raise SettingsError(
            f"SAAS_API_JWT_SECRET: production needs {MINIMUM_SECRET_BYTES} bytes or more"
        )
    if settings.database_url is None:
        raise SettingsError(
            "SAAS_API_DATABASE_URL: production does not use the embedded database; set a URL"
        )


def _text(environ: Mapping[str, str], name: str, default: str) -> str:
    value = environ.get(name, "").strip() or default
    if not value.isprintable():
        raise SettingsError(f"{name}: must be one printable line")
    return value


def _signing_secret(environ: Mapping[str, str], name: str, default: str) -> str:
    value = environ.get(name)
    if not value:
        return default
    from api.credentials import may_sign  # slow to import, and most commands sign nothing

    if not may_sign(value):
        raise SettingsError(f"{name}: must be random text, not a PEM, SSH or JSON Web Key")
    return value


def _bearer_token(environ: Mapping[str, str], name: str) -> str | None:
    value = environ.get(name)
    if value and not BEARER.fullmatch(value):
        raise SettingsError(f"{name}: must be visible ASCII characters, without spaces")
    return value or None


def _integer(
    environ: Mapping[str, str], name: str, default: int, minimum: int, maximum: int = 2**31 - 1
) -> int:
    value = environ.get(name, "").strip()
    if not value:
        return default
    if value.isascii() and value.isdigit() and len(value) <= 10:
        number = int(value)
        if minimum <= number <= maximum:
            return number
    raise SettingsError(f"{name}: must be a whole number from {minimum} to {maximum}")


def _boolean(environ: Mapping[str, str], name: str, default: bool) -> bool:
    value = environ.get(name, "").strip().lower()
    if not value:
        return default
    if value not in BOOLEANS:
        raise SettingsError(f"{name}: must be true or false")
    return BOOLEANS[value]


def _log_level(environ: Mapping[str, str], name: str, default: str) -> str:
    value = environ.get(name, "").strip().upper() or default
    if value not in LOG_LEVELS:
        raise SettingsError(f"{name}: must be one of {', '.join(LOG_LEVELS)}")
    return value


def _database_url(environ: Mapping[str, str], name: str) -> str | None:
    value = environ.get(name, "").strip()
    if not value:
        return None
    if not value.startswith(("postgresql://", "postgres://")):
        raise SettingsError(f"{name}: must be a URL like postgresql://role@host/database")
    return value


def _origins(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    """`*` stands alone (and is then served without credentials), or each is scheme://host[:port]."""
    given = (part.strip() for part in environ.get(name, "").split(","))
    origins = tuple(dict.fromkeys(part for part in given if part))
    if origins == ("*",) or all(ORIGIN.fullmatch(origin) for origin in origins):
        return origins
    raise SettingsError(
        f"{name}: must be origins like https://app.example.com, comma-separated, or * alone"
    )

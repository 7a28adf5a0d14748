"""
From a bearer token to the digest that the database knows.

An access token is a JWT that carries its session's 256-bit secret as `sid`. Here the signature, the
issuer and the expiry are checked; whether the session still lives is the database's business, on
every request. A token's signature is checked once: a bounded cache, keyed by the token's digest,
remembers the answer until the token expires.

An API key is its own secret: the database knows its digest.
"""

import base64
import hmac
import re
import secrets
import time
import uuid
from dataclasses import dataclass
from hashlib import sha256
from zlib import crc32

import jwt

from api.problems import UNAUTHORISED, Problem

ALGORITHM = "HS256"
CLAIMS = ("iss", "sub", "sid", "iat", "exp", "jti")
SECRET_BYTES = 32
CACHE_SIZE = 10_000

# saas_ + 8 public characters, _ + 43 that hold 256 random bits, + 6 of CRC-32 over all before them.
# The checksum refuses a typo without asking the database; the pattern is for secret scanners.
API_KEY_MARK = "saas_"
API_KEY = re.compile(r"saas_[0-9A-Za-z]{8}_[0-9A-Za-z]{49}")
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Session:
    """A new session: its secret as the token carries it, and the digest the database keeps."""

    sid: str
    digest: bytes


def new_session() -> Session:
    """A session with 256 bits of randomness."""
    secret = secrets.token_bytes(SECRET_BYTES)
    return Session(
        sid=base64.urlsafe_b64encode(secret).rstrip(b"=").decode(), digest=sha256(secret).digest()
    )


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A new API key: the key itself, how it begins, and the digest the database keeps."""

    raw: str
    prefix: str
    digest: bytes


def new_api_key() -> ApiKey:
    """An API key with 256 bits of randomness behind its public prefix."""
    prefix = API_KEY_MARK + "".join(secrets.choice(BASE62) for _ in range(8))
    number = secrets.randbits(256)
    secret = _base62(number, 43)
    unchecked = f"{prefix}_{secret}"
    raw = unchecked + _base62(crc32(unchecked.encode()), 6)
    return ApiKey(raw=raw, prefix=prefix, digest=sha256(raw.encode()).digest())


def is_api_key(token: str) -> bool:
    """Whether a bearer token has the form of an API key, its checksum included."""
    return (
        API_KEY.fullmatch(token) is not None
        and _base62(crc32(token[:-6].encode()), 6) == token[-6:]
    )


def may_sign(secret: str) -> bool:
    """Whether it signs tokens: a key of another algorithm does not, nor what is not UTF-8."""
    try:
        jwt.get_algorithm_by_name(ALGORITHM).prepare_key(secret)
    except (jwt.InvalidKeyError, UnicodeEncodeError):
        return False
    return True


def bears(authorization: str | None, secret: str) -> bool:
    """Whether an `Authorization` header carries just this bearer token; in constant time."""
    token = _bearer(authorization)
    return token is not None and hmac.compare_digest(
        token.encode(errors="surrogateescape"), secret.encode()
    )


def _bearer(authorization: str | None) -> str | None:
    """The token of an `Authorization` header of the scheme Bearer."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip(" ") if scheme.lower() == "bearer" else None


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(BASE62[digit])
    return "".join(reversed(digits))


class Credentials:
    """Makes and checks access tokens for one issuer and one signing secret."""

    def __init__(self, *, secret: str, issuer: str, ttl_seconds: int) -> None:
        self.ttl_seconds = ttl_seconds
        self._secret = secret.encode()
        self._issuer = issuer
        self._verified: dict[bytes, tuple[float, bytes]] = {}

    def issue(self, user_id: str, session: Session) -> str:
        """An access token for a session that the database has just opened."""
        now = int(time.time())
        claims = {
            "iss": self._issuer,
            "sub": user_id,
            "sid": session.sid,
            "iat": now,
            "exp": now + self.ttl_seconds,
            "jti": str(uuid.uuid4()),
        }
        return jwt.encode(claims, self._secret, algorithm=ALGORITHM)

    def digest(self, authorization: str | None) -> bytes:
        """
        The 32-byte digest of the credential in an `Authorization` header.

        Errors: 401 for no credential, another scheme, or a token that is not ours or has expired.
        """
        token = _bearer(authorization)
        if token is None or not token.isascii():
            raise Problem(UNAUTHORISED)
        token_digest = sha256(token.encode()).digest()
        if token.startswith(API_KEY_MARK):
            if not is_api_key(token):
                raise Problem(UNAUTHORISED)
            return token_digest
        known = self._verified.get(token_digest)
        if known is None:
            known = self._verify(token)
            if len(self._verified) >= CACHE_SIZE:
                del self._verified[next(iter(self._verified))]
            self._verified[token_digest] = known
        expires_at, credential = known
        if expires_at <= time.time():
            self._verified.pop(token_digest, None)
            raise Problem(UNAUTHORISED)
        return credential

    def _verify(self, token: str) -> tuple[float, bytes]:
        """When the token expires, and its credential's digest."""
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                issuer=self._issuer,
                # `iat` is not compared with this clock: it may be another machine's.
                options={"require": list(CLAIMS), "verify_iat": False, "verify_aud": False},
            )
            sid = claims["sid"]
            secret = base64.b64decode(sid + "=" * (-len(sid) % 4), altchars=b"-_", validate=True)
            expires_at = float(claims["exp"])
        except (jwt.PyJWTError, TypeError, ValueError, OverflowError):
            raise Problem(UNAUTHORISED) from None
        if len(secret) != SECRET_BYTES:
            raise Problem(UNAUTHORISED)
        return expires_at, sha256(secret).digest()

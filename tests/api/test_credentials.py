"""Bearer tokens: what is taken, what is refused, and for how long the answer is remembered."""

import time
from hashlib import sha256
from typing import Any

import jwt
import pytest

from api import credentials as module
from api.credentials import CLAIMS, Credentials, new_session
from api.problems import UNAUTHORISED, Problem

SECRET = "a-secret-of-more-than-thirty-two-bytes"
USER = "01890000-0000-7000-8000-000000000001"


def make(secret: str = SECRET, issuer: str = "us", ttl_seconds: int = 900) -> Credentials:
    return Credentials(secret=secret, issuer=issuer, ttl_seconds=ttl_seconds)


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    good = {"iss": "us", "sub": USER, "sid": new_session().sid, "iat": now, "exp": now + 60}
    return {**good, "jti": "j", **changes}


def sign(payload: dict[str, Any], key: str = SECRET, algorithm: str = "HS256") -> str:
    return jwt.encode(payload, key, algorithm=algorithm)


def refused(header: str | None) -> bool:
    with pytest.raises(Problem) as caught:
        make().digest(header)
    return caught.value.kind is UNAUTHORISED


def test_issue_then_digest_is_the_digest_of_the_session() -> None:
    session = new_session()
    token = make().issue(USER, session)
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert make().digest(f"{scheme} {token}") == session.digest
    assert len(session.digest) == 32


def test_issue_has_the_claims_of_the_contract() -> None:
    session = new_session()
    payload = jwt.decode(
        make(ttl_seconds=60).issue(USER, session), SECRET, algorithms=["HS256"], issuer="us"
    )
    assert set(payload) == set(CLAIMS)
    assert (payload["sub"], payload["sid"]) == (USER, session.sid)
    assert payload["exp"] - payload["iat"] == 60


def test_new_session_twice_differs() -> None:
    assert new_session().sid != new_session().sid


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer a.b.c", "Bearer é", "Bearer \udce9", "x"],
)
def test_digest_malformed_header_is_refused(header: str | None) -> None:
    assert refused(header)


@pytest.mark.parametrize("name", CLAIMS)
def test_digest_claim_missing_is_refused(name: str) -> None:
    payload = claims()
    del payload[name]
    assert refused(f"Bearer {sign(payload)}")


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "them"},
        {"exp": 1},
        {"exp": "soon"},
        {"exp": 1e400},
        {"sid": ""},
        {"sid": "AAAA"},
        {"sid": 7},
        {"sid": None},
        {"sid": "é" * 43},
        {"sid": "!" * 43},
        {"sub": 7},
    ],
)
def test_digest_bad_claim_is_refused(change: dict[str, Any]) -> None:
    assert refused(f"Bearer {sign(claims(**change))}")


def test_digest_other_key_or_algorithm_is_refused() -> None:
    assert refused(f"Bearer {sign(claims(), key='another-secret-of-thirty-two-bytes')}")
    assert refused(f"Bearer {sign(claims(), key=SECRET * 2, algorithm='HS512')}")
    assert refused(f"Bearer {jwt.encode(claims(), None, algorithm='none')}")


def test_digest_altered_signature_is_refused_though_the_token_is_known() -> None:
    checker, token = make(), sign(claims())
    checker.digest(f"Bearer {token}")
    with pytest.raises(Problem):
        checker.digest(f"Bearer {token[:-2]}xx")


def test_digest_known_token_is_not_verified_again(monkeypatch: pytest.MonkeyPatch) -> None:
    checker, token = make(), sign(claims())
    first = checker.digest(f"Bearer {token}")
    monkeypatch.setattr(jwt, "decode", None)
    assert checker.digest(f"Bearer {token}") == first


def test_digest_known_token_is_refused_once_expired(monkeypatch: pytest.MonkeyPatch) -> None:
    checker, token = make(), sign(claims())
    checker.digest(f"Bearer {token}")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 61)
    with pytest.raises(Problem):
        checker.digest(f"Bearer {token}")


def test_digest_cache_is_bounded_and_keeps_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CACHE_SIZE", 3)
    checker = make()
    tokens = [sign(claims(jti=str(n))) for n in range(5)]
    for token in tokens:
        checker.digest(f"Bearer {token}")
    assert list(checker._verified) == [sha256(token.encode()).digest() for token in tokens[2:]]

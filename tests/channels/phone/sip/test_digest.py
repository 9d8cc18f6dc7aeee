"""Digest: the RFC's own example, and every way in which credentials may be wrong."""

from dataclasses import replace
from typing import Any

import pytest

from channels.phone.errors import MalformedMessage
from channels.phone.sip import digest
from channels.phone.sip.digest import Authenticator, Credentials, Verdict, ha1
from channels.phone.sip.uri import Uri

URI = Uri.parse("sip:yihao.example")
NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_example_of_rfc_7616(algorithm: str, response: str) -> None:
    credentials = Credentials(
        username="Mufasa",
        realm="http-auth@example.org",
        nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        uri="/dir/index.html",
        response=response,
        algorithm=algorithm,
        qop="auth",
        cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        nc="00000001",
    )
    first = ha1("Mufasa", "http-auth@example.org", "Circle of Life", algorithm)
    assert digest._response(credentials, "GET", first, algorithm) == response


@pytest.fixture
def authenticator() -> Authenticator:
    return Authenticator("yihao", b"s" * 32)


def stored(user: str = "8001") -> dict[str, str]:
    return {algorithm: ha1(user, "yihao", "pw", algorithm) for algorithm in ("SHA-256", "MD5")}


def signed(authenticator: Authenticator, algorithm: str = "SHA-256", at: float = NOW, **changed: Any) -> Credentials:
    nonce = authenticator._nonce(algorithm, at)
    plain = Credentials("8001", "yihao", nonce, str(URI), "", algorithm, "auth", "c", "00000001")
    plain = replace(plain, **changed)
    first = ha1("8001", "yihao", "pw", algorithm)
    return replace(plain, response=digest._response(plain, "REGISTER", first, algorithm))


def judged(authenticator: Authenticator, credentials: Credentials, now: float = NOW) -> Verdict:
    return authenticator.verify(credentials, "REGISTER", URI, stored(), now)


@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5"])
def test_right_credentials_count_once_per_nonce_count(authenticator: Authenticator, algorithm: str) -> None:
    first = signed(authenticator, algorithm)
    assert judged(authenticator, first) is Verdict.ACCEPTED
    assert judged(authenticator, first) is Verdict.STALE, "a replay"
    later, lower = (signed(authenticator, algorithm, nonce=first.nonce, nc=nc) for nc in ("00000003", "00000002"))
    assert judged(authenticator, later) is Verdict.ACCEPTED
    assert judged(authenticator, lower) is Verdict.STALE, "nc must rise"


def test_old_foreign_and_mixed_nonces_are_stale(authenticator: Authenticator) -> None:
    assert judged(authenticator, signed(authenticator), NOW + 31) is Verdict.STALE
    other = Authenticator("yihao", b"t" * 32)
    assert judged(authenticator, signed(other)) is Verdict.STALE
    md5_nonce = authenticator._nonce("MD5", NOW)
    assert judged(authenticator, signed(authenticator, nonce=md5_nonce)) is Verdict.STALE
    assert judged(authenticator, signed(authenticator, nonce="!!!")) is Verdict.STALE


@pytest.mark.parametrize(
    "changed",
    [{"qop": ""}, {"cnonce": ""}, {"nc": "1"}, {"nc": "zzzzzzzz"}, {"realm": "other"}, {"uri": "sip:elsewhere"}],
)
def test_what_must_be_there_is_demanded(authenticator: Authenticator, changed: dict[str, Any]) -> None:
    assert judged(authenticator, signed(authenticator, **changed)) is Verdict.WRONG


def test_wrong_password_and_unknown_user(authenticator: Authenticator) -> None:
    wrong = replace(signed(authenticator), response="0" * 64)
    assert judged(authenticator, wrong) is Verdict.WRONG
    right = signed(authenticator)
    assert authenticator.verify(right, "REGISTER", URI, None, NOW) is Verdict.WRONG
    assert authenticator.verify(right, "INVITE", URI, stored(), NOW) is Verdict.WRONG, "another method"


def test_algorithm_not_offered(authenticator: Authenticator) -> None:
    strict = Authenticator("yihao", b"s" * 32, algorithms=("SHA-256",))
    assert strict.verify(signed(authenticator, "MD5"), "REGISTER", URI, stored(), NOW) is Verdict.WRONG


def test_two_who_are_asked_at_the_same_moment_do_not_share_a_nonce(authenticator: Authenticator) -> None:
    first, second = (signed(authenticator, nonce=authenticator._nonce("MD5", NOW), algorithm="MD5") for _ in range(2))
    assert [judged(authenticator, one) for one in (first, second)] == [Verdict.ACCEPTED] * 2


def test_challenges_stand_in_order_with_nonces_of_their_own(authenticator: Authenticator) -> None:
    lines = [value for _, value in authenticator.challenges(NOW, stale=True)]
    assert ["SHA-256" in lines[0], "algorithm=MD5" in lines[1]] == [True, True]
    assert all("stale=true" in line and 'qop="auth"' in line for line in lines)
    assert lines[0].split("nonce=")[1].split(",")[0] != lines[1].split("nonce=")[1].split(",")[0]
    assert len(authenticator.challenges(NOW, only_md5=True)) == 1


def test_other_schemes_are_no_credentials_and_garbage_is_refused() -> None:
    assert Credentials.parse("NoOneKnows data=here") is None
    for text in ("Digest", 'Digest username="a', 'Digest username="a", username="b"', "Digest =x", 'Digest a="b"c"'):
        with pytest.raises(MalformedMessage):
            Credentials.parse(text)


def test_used_nonces_are_forgotten_after_their_life(authenticator: Authenticator) -> None:
    for second in range(100):
        now = NOW + second
        assert judged(authenticator, signed(authenticator, at=now), now) is Verdict.ACCEPTED
    assert len(authenticator._used) <= 32

"""A site's word of who its visitor is: taken when all of it is right, else refused for a reason of its own."""

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from channels.webchat.errors import SignatureRefused, SitesAlike
from channels.webchat.signing import CLOCKS_DIFFER_S, LONGEST_LIFE_S, LONGEST_TOKEN, Signatures, SiteKey
from session.address import Address
from tests.peers import site
from tests.peers.site import AUDIENCE, KEY_NAME, SECRET, SITE, signed

PAIR = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = base64.urlsafe_b64encode(PAIR.public_key().public_bytes_raw()).decode().rstrip("=")
KEYS = (
    SiteKey(SITE, KEY_NAME, "HS256", SECRET),
    SiteKey(SITE, "2026b", "EdDSA", PUBLIC),
    SiteKey("other-site", "other", "HS256", "the other site's own secret, as long"),
)
NOW = 1_796_000_000.0
NO_TIMES: tuple[object, ...] = (float("nan"), float("inf"), True, "soon", [])
SIGNATURES = Signatures(KEYS, AUDIENCE)


def claims(user: str, **other: object) -> dict[str, object]:
    return site.claims(user, **{"iat": NOW, "exp": NOW + 120, **other})


def token(user: str, **other: object) -> str:
    return signed(claims(user, **other))


def read(text: str, ahead_s: float = 0.0) -> Any:
    return SIGNATURES.read(text, NOW + ahead_s)


def refused(text: str, ahead_s: float = 0.0) -> str:
    with pytest.raises(SignatureRefused) as refusal:
        read(text, ahead_s)
    assert refusal.value.status == 422
    return str(refusal.value.code)


def test_either_kind_of_key_says_who_it_is() -> None:
    assert read(token("user-42")).user == Address("site", "user-42", SITE)
    assert read(signed(claims("张/三@example"), PAIR, kid="2026b")).user.identifier == "张/三@example"
    assert read(token("u", aud=["else", AUDIENCE])).user.identifier == "u"


def test_a_token_is_one_however_often_it_is_read() -> None:
    one, another = token("u"), token("u")
    assert read(one).once == read(one).once != read(another).once
    assert SITE not in read(one).once


def test_times_are_bounded_on_every_side() -> None:
    assert refused(token("u"), 120 + CLOCKS_DIFFER_S + 1) == "token_expired"
    assert read(token("u"), 120 + CLOCKS_DIFFER_S - 1)
    assert refused(token("u"), -CLOCKS_DIFFER_S - 1) == "token_early"
    assert refused(token("u", exp=NOW + LONGEST_LIFE_S + 2)) == "token_life"
    assert refused(token("u", exp=NOW - 1)) == "token_life"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (signed(claims("u"), "a secret of somebody else, just as long"), "token_signature"),
        (signed(claims("u")).rpartition(".")[0] + ".", "token_signature"),
        (signed(claims("u"), alg="none").rpartition(".")[0] + ".", "token_algorithm"),
        (signed(claims("u"), alg="HS512"), "token_algorithm"),
        (signed(claims("u"), PUBLIC, kid="2026b"), "token_algorithm"),
        (signed(claims("u"), PUBLIC, kid="2026b", alg="EdDSA"), "token_signature"),
        (signed(claims("u"), kid="2027"), "token_key"),
        (signed(claims("u"), kid=None), "token_malformed"),
        (signed(claims("u"), kid=["2026a"]), "token_malformed"),
        (signed(claims("u"), "the other site's own secret, as long", kid="other"), "token_key"),
        (token("u", iss="other-site"), "token_key"),
        (token("u", aud="another-hotline"), "token_audience"),
        (token("u", aud=["another-hotline"]), "token_audience"),
        (signed(claims("u"), crit=["exp"]), "token_malformed"),
        *((token("u", **{name: None}), "token_malformed") for name in ("sub", "iat", "exp", "jti")),
        *((token("u", exp=exp), "token_malformed") for exp in NO_TIMES),
        *((token("u", sub=sub), "token_malformed") for sub in ("", 42, "a\nb", "x" * 129, ["u"])),
        *((token("u", jti=jti), "token_malformed") for jti in ("", 42, "x" * 129)),
        (signed(["no", "claims"]), "token_malformed"),
        (signed(b"\xff{"), "token_malformed"),
        (signed(b'{"a":' * 800), "token_malformed"),
        ("a.b.c", "token_malformed"),
        ("ü.b.c", "token_malformed"),
        (".", "token_malformed"),
        (token("u", more="x" * LONGEST_TOKEN), "token_malformed"),
    ],
)
def test_anything_else_is_refused_with_its_reason(text: str, code: str) -> None:
    assert refused(text) == code


@given(st.text(max_size=200), st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=8), max_size=6))
def test_nothing_breaks_it(text: str, body: dict[str, object]) -> None:
    for one in (text, f"{text}.{text}.{text}", signed({**claims("u"), **body}), signed(body)):
        try:
            read(one)
        except SignatureRefused:
            continue


def test_where_no_site_is_known_nothing_is_read() -> None:
    with pytest.raises(SignatureRefused) as refusal:
        Signatures((), AUDIENCE).read(token("u"), NOW)
    assert refusal.value.code == "token_not_taken"


def test_two_keys_of_one_name_stop_the_start() -> None:
    with pytest.raises(SitesAlike, match="two keys are named 2026a"):
        Signatures((*KEYS, SiteKey("third", KEY_NAME, "HS256", "x" * 32)), AUDIENCE)
    assert SECRET not in repr(KEYS)

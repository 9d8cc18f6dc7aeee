"""The client's side of digest authentication: RFC 7616's own example, and our own server as the other side."""

import pytest

from channels.phone.errors import MalformedMessage
from channels.phone.sip.challenge import Challenge
from channels.phone.sip.digest import Authenticator, Credentials, Verdict, ha1
from channels.phone.sip.uri import Uri

# RFC 7616, section 3.9.1: the same request under both algorithms.
EXAMPLE = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
RESPONSES = {
    "MD5": "8ca523f5e9506fed4657c9700eebdbec",
    "SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
}


@pytest.mark.parametrize("algorithm", RESPONSES)
def test_the_standards_own_example(algorithm: str) -> None:
    challenge = Challenge.parse(EXAMPLE.format(algorithm))
    assert challenge is not None
    answer = challenge.answer("Mufasa", "Circle of Life", "GET", "/dir/index.html", cnonce=CNONCE)
    credentials = Credentials.parse(answer)
    assert credentials is not None
    assert credentials.response == RESPONSES[algorithm]
    assert (credentials.nc, credentials.qop, credentials.cnonce) == ("00000001", "auth", CNONCE)
    assert f'opaque="{challenge.opaque}"' in answer


def test_without_protection_the_answer_is_the_older_one() -> None:
    """RFC 2617, section 3.5's values under RFC 2069's formula, with the erratum that corrects its example."""
    challenge = Challenge.parse('Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"')
    assert challenge is not None
    answer = challenge.answer("Mufasa", "CircleOfLife", "GET", "/dir/index.html", cnonce="unused")
    assert 'response="1949323746fe6a43ef61f9606e7febea"' in answer
    assert "qop" not in answer


@pytest.mark.parametrize("only_md5", [True, False])
def test_our_own_server_accepts_it(only_md5: bool) -> None:
    server = Authenticator("yihao", b"secret")
    challenges = [value for _, value in server.challenges(1000.0, only_md5=only_md5)]
    challenge = Challenge.topmost(challenges)
    assert challenge is not None
    assert challenge.algorithm == ("MD5" if only_md5 else "SHA-256")
    secret = {name: ha1("8001", "yihao", "pass word", name) for name in RESPONSES}
    uri = Uri.parse("sip:127.0.0.1:5060")
    for password, verdict in (("wrong", Verdict.WRONG), ("pass word", Verdict.ACCEPTED)):
        answer = challenge.answer("8001", password, "REGISTER", str(uri), cnonce="c")
        credentials = Credentials.parse(answer)
        assert credentials is not None
        assert server.verify(credentials, "REGISTER", uri, secret, 1001.0) is verdict


def test_what_we_cannot_answer_is_passed_over() -> None:
    values = ["Bearer realm=x", EXAMPLE.format("SHA-512-256"), 'Digest realm="r", nonce="n", qop="auth-int"', "Digest "]
    assert Challenge.topmost(values[:3]) is None
    known = Challenge.topmost([*values[:3], EXAMPLE.format("MD5")])
    assert known is not None
    assert known.algorithm == "MD5"
    for broken in ("Digest realm", 'Digest realm="r"', 'Digest nonce="n"'):
        with pytest.raises(MalformedMessage):
            Challenge.parse(broken)


def test_a_stale_nonce_says_so() -> None:
    challenge = Challenge.parse('Digest realm="r", nonce="n", qop="auth", stale=TRUE')
    assert challenge is not None
    assert challenge.stale

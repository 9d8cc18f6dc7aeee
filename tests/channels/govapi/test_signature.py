"""RFC 9421's own vector, ours as the documentation has them, and a library that is not ours on the other side."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from http_message_signatures import HTTPMessageVerifier
from http_message_signatures.algorithms import HMAC_SHA256
from http_message_signatures.resolvers import MappingKeyResolver
from http_sf import parse as parsed_by_library
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.govapi import signature as rfc9421
from channels.govapi.gate import OF_A_POST
from channels.govapi.signature import Message, SignatureMalformed
from channels.govapi.structured import Bare, InnerList, NotStructured, dictionary, string
from tests.peers.platform import Request

GUIDE = Path(__file__).parents[3] / "docs" / "govapi.md"

# RFC 9421, appendix B.2 (test-request) and B.1.5 (test-shared-secret).
REQUEST_FIELDS = {
    "host": "example.com",
    "date": "Tue, 20 Apr 2021 02:07:55 GMT",
    "content-type": "application/json",
    "content-digest": (
        "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:"
    ),
    "content-length": "18",
}
SHARED = base64.b64decode("uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==")
B25_INPUT = 'sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"'
B25 = "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:"


def _test_request(**fields: str) -> Message:
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return Message("POST", "example.com", "/foo", "param=Value&Pet=dog", {**REQUEST_FIELDS, **named})


def test_the_vector_of_the_rfc() -> None:
    """B.2.5: signing a request by hmac-sha256."""
    message = _test_request(signature_input=B25_INPUT, signature=B25)
    (signature,) = rfc9421.signatures(message.fields)
    assert rfc9421.base(message, signature.covers).decode() == (
        '"date": Tue, 20 Apr 2021 02:07:55 GMT\n'
        '"@authority": example.com\n'
        '"content-type": application/json\n'
        '"@signature-params": ("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"'
    )
    assert rfc9421.is_by(message, signature, [b"another", SHARED])
    assert not rfc9421.is_by(message, signature, [b"another"])
    parameters: dict[str, Bare] = {"created": 1618884473, "keyid": "test-shared-secret"}
    covers = ("date", "@authority", "content-type")
    again = rfc9421.signed(_test_request(), covers, parameters, SHARED, label="sig-b25")
    assert (again.fields["signature-input"], again.fields["signature"]) == (B25_INPUT, B25)


def test_the_digest_of_the_rfc() -> None:
    """RFC 9530, appendix B.1: the same content."""
    body = b'{"hello": "world"}\n'
    assert rfc9421.content_digest(body) == "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
    both = f"{REQUEST_FIELDS['content-digest']}, {rfc9421.content_digest(body)}"
    assert rfc9421.digest_field(rfc9421.digest_in(both)) == rfc9421.content_digest(body)
    with pytest.raises(SignatureMalformed):
        rfc9421.digest_in(REQUEST_FIELDS["content-digest"])


def _vectors() -> list[dict[str, str]]:
    """Those that docs/govapi.md prints for whoever writes a client."""
    return [json.loads(one) for one in re.findall(r"```json vector\n(.*?)```", GUIDE.read_text(), re.DOTALL)]


@pytest.mark.parametrize("vector", _vectors(), ids=lambda vector: str(vector["name"]))
def test_our_published_vectors(vector: dict[str, str]) -> None:
    path, _, query = vector["target"].partition("?")
    fields = {name.lower(): value for name, value in vector["headers"].items()}  # type: ignore[attr-defined]
    message = Message(vector["method"], "hotline.example.cn", path, query, fields)
    (signature,) = rfc9421.signatures(fields)
    assert rfc9421.base(message, signature.covers).decode() == "\n".join(vector["base"])
    assert rfc9421.is_by(message, signature, [vector["secret"].encode()])
    if "body" in vector:
        assert rfc9421.content_digest(vector["body"].encode()) == fields["content-digest"]


def test_there_are_vectors_of_both_kinds() -> None:
    assert {vector["method"] for vector in _vectors()} == {"GET", "POST"}


@settings(max_examples=60, deadline=None)
@given(
    path=st.from_regex(r"/[a-zA-Z0-9/._~%-]{0,40}", fullmatch=True).filter(lambda path: "%" not in path),
    query=st.from_regex(r"[a-zA-Z0-9=&._~-]{0,40}", fullmatch=True),
    body=st.binary(max_size=200),
    nonce=st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40),
)
def test_the_library_reads_what_we_sign(path: str, query: str, body: bytes, nonce: str) -> None:
    fields = {"content-digest": rfc9421.content_digest(body), "idempotency-key": '"a-key"'}
    message = Message("POST", "hotline.example.cn", path, query, fields)
    parameters: dict[str, Bare] = {"created": 2_000_000_000, "nonce": nonce, "keyid": "app", "tag": "yihao-v1"}
    signed = rfc9421.signed(message, OF_A_POST, parameters, b"k" * 32)
    keys = MappingKeyResolver(public_keys={"app": b"k" * 32}, private_keys={})
    verifier = HTTPMessageVerifier(signature_algorithm=HMAC_SHA256, key_resolver=keys)
    verifier.validate_created_and_expires = lambda *_, **__: None  # type: ignore[method-assign]
    url = f"https://hotline.example.cn{path}{'?' + query if query else ''}"
    (result,) = verifier.verify(Request("POST", url, dict(signed.fields)), expect_tag="yihao-v1", body=body)
    assert result.nonce == nonce


@pytest.mark.parametrize(
    "covers", ['("x-not-there")', '("@status")', '("@query-param")', '("date" "date")', '("date";sf)', "(1)", "1"]
)
def test_what_cannot_be_covered_is_refused(covers: str) -> None:
    message = _test_request(signature_input=f"s={covers};created=1", signature="s=:AA==:")
    with pytest.raises(SignatureMalformed):
        _bases(message)


def _bases(message: Message) -> list[bytes]:
    return [rfc9421.base(message, one.covers) for one in rfc9421.signatures(message.fields)]


@pytest.mark.parametrize(
    "text",
    [
        "a=(", 'a=("x"', 'a=("x" "y")b', 'a=("x""y")', 'a="', 'a="\\x"', "a=:!:", "a=:AA=:", "a=?2", "a=1.5", "A=1",
        "a=1,", "a=1 b=2", "a=1234567890123456", "a=@1", "a=é", "a=" + "1" * 5000, ";a=1", "a=1;b", "=",
    ],
)  # fmt: skip
def test_what_is_no_dictionary_is_refused(text: str) -> None:
    with pytest.raises(NotStructured):
        dictionary(text)


@pytest.mark.fuzz
def test_no_text_breaks_the_reader(long_run: bool) -> None:
    @settings(max_examples=20_000 if long_run else 300, deadline=None)
    @given(st.one_of(st.text(max_size=80), st.text('ab="\\:;,()? 01-@.\t', max_size=40)))
    def read(text: str) -> None:
        try:
            found = dictionary(text)
        except NotStructured:
            found = None
        if found is not None:  # what we take, the library takes, and means the same by it
            theirs: Any = parsed_by_library(text.strip(" ").encode(), tltype="dictionary")
            assert list(theirs) == list(found)
            for name, member in found.items():
                if isinstance(member, InnerList):
                    assert [str(item[0]) for item in theirs[name][0]] == list(member.items)
        for parse in (string, rfc9421.digest_in):
            try:
                parse(text)
            except (NotStructured, SignatureMalformed):
                continue
        try:
            rfc9421.signatures({"signature-input": text, "signature": text})
        except SignatureMalformed:
            return

    read()

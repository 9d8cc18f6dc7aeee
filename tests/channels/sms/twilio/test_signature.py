"""Twilio's published examples, and what the SDK's own `validate` would let through."""

import hashlib
import json
from urllib.parse import urlencode

import pytest
from multidict import CIMultiDict
from twilio.request_validator import HMAC_SHA256, RequestValidator

from channels.sms.errors import CallRefused
from channels.sms.twilio.settings import TwilioSettings
from channels.sms.twilio.signature import proven

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


def settings(public: str = "https://mycompany.com", **changes: object) -> TwilioSettings:
    fields: dict[str, object] = {
        "account": "AC1",
        "tokens": ("12345", "the-token-before"),
        "sender": "+18005551212",
        "public_url": public,
        "shared_keys": {"webhooks_sharedkey_1": "shared secret"},
    }
    return TwilioSettings(**{**fields, **changes})  # type: ignore[arg-type]


def check(path: str, body: bytes, kind: str = FORM, public: str = "https://mycompany.com", **headers: str) -> None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    proven(settings(public), path, CIMultiDict(named), kind, body)


CALL = {
    "CallSid": "CA1234567890ABCDE",
    "Caller": "+14158675309",
    "Digits": "1234",
    "From": "+14158675309",
    "To": "+18005551212",
}


def test_the_published_examples() -> None:
    """Those of twilio.com/docs/usage/security and of the SDKs' own tests."""
    check("/myapp.php?foo=1&bar=2", urlencode(CALL).encode(), X_Twilio_Signature="RSOYDt4T1cUTdK1PDd93/VVr8B8=")
    many = [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234")]
    check("/myapp.php?foo=1&bar=2", urlencode(many).encode(), X_Twilio_Signature="IK+Dwps556ElfBT0I3Rgjkr1wJU=")
    check(
        "/myapp.php?foo=1&bar=2",
        urlencode(CALL).encode(),
        public="https://MyCompany.com:1234",
        X_Twilio_Signature="PCqOZm8cnu/L6+u5i5fuEd+Iac4=",
    )


@pytest.mark.parametrize(
    "signature", ["", "RSOYDt4T1cUTdK1PDd93/VVr8B9=", "FAIL", "RSOYDt4T1cUTdK1PDd93/VVr8B8= ", "签名"]
)
def test_a_wrong_or_missing_signature_is_refused(signature: str) -> None:
    with pytest.raises(CallRefused) as refused:
        check("/myapp.php?foo=1&bar=2", urlencode(CALL).encode(), X_Twilio_Signature=signature)
    assert refused.value.status == 403
    with pytest.raises(CallRefused):
        check("/myapp.php?foo=1&bar=2", urlencode(CALL).encode())


@pytest.mark.parametrize("changed", [{"Digits": "1235"}, {"Extra": ""}, {"From": "+14158675309 "}])
def test_a_changed_field_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(CallRefused):
        check(
            "/myapp.php?foo=1&bar=2",
            urlencode({**CALL, **changed}).encode(),
            X_Twilio_Signature="RSOYDt4T1cUTdK1PDd93/VVr8B8=",
        )


def test_the_token_before_is_taken_while_it_is_being_replaced() -> None:
    signature = RequestValidator("the-token-before").compute_signature("https://mycompany.com/x", {"a": "b"})
    check("/x", b"a=b", X_Twilio_Signature=signature)


def test_a_json_body_is_proven_by_its_hash_over_the_octets() -> None:
    body = b'{"property": "value", "boolean": true}'
    path = f"/x?bodySHA256={hashlib.sha256(body).hexdigest()}"
    assert path.endswith("0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"), "Twilio's own example"
    signature = RequestValidator("12345").compute_signature(f"https://mycompany.com{path}", {})
    check(path, body, JSON, X_Twilio_Signature=signature)
    other = b'{"property": "another", "boolean": true}'
    with pytest.raises(CallRefused):
        check(path, other, JSON, X_Twilio_Signature=signature)
    assert RequestValidator("12345").validate(f"https://mycompany.com{path}", {}, signature), "the trap"
    with pytest.raises(CallRefused):
        check(path, json.dumps(json.loads(body), indent=1).encode(), JSON, X_Twilio_Signature=signature)


@pytest.mark.parametrize("query", ["", "?bodySHA256=", "?bodySHA256=00&bodySHA256=11"])
def test_a_json_body_without_a_hash_is_refused(query: str) -> None:
    signature = RequestValidator("12345").compute_signature(f"https://mycompany.com/x{query}", {})
    with pytest.raises(CallRefused):
        check(f"/x{query}", b"{}", JSON, X_Twilio_Signature=signature)


def test_a_shared_key_signs_with_sha256_and_nothing_weaker() -> None:
    url = "https://mycompany.com/x"
    strong = RequestValidator("shared secret").compute_signature(url, {"a": "b"}, HMAC_SHA256)
    weak = RequestValidator("shared secret").compute_signature(url, {"a": "b"})
    token = RequestValidator("12345").compute_signature(url, {"a": "b"})
    line = "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"

    def check_with(signature: str, line: str) -> None:
        check("/x", b"a=b", X_Twilio_Signature=signature, X_Twilio_Webhooks_Signature_Settings=line)

    check_with(strong, line)
    for signature, named in [
        (weak, line),
        (token, line),
        (strong, "key=another,algorithm=HMAC_SHA256"),
        (weak, "key=webhooks_sharedkey_1,algorithm=HMAC_SHA1"),
        (strong, "key=webhooks_sharedkey_1,algorithm=NONE"),
        (strong, "nonsense"),
    ]:
        with pytest.raises(CallRefused):
            check_with(signature, named)
    with pytest.raises(CallRefused):
        check("/x", b"a=b", X_Twilio_Signature=strong)


def test_blanks_are_fields_too_and_another_accounts_call_is_refused() -> None:
    fields = {"Body": "", "From": " +1", "AccountSid": "AC1"}
    url = "https://mycompany.com/x"
    check("/x", urlencode(fields).encode(), X_Twilio_Signature=RequestValidator("12345").compute_signature(url, fields))
    fields["AccountSid"] = "AC2"
    signature = RequestValidator("12345").compute_signature(url, fields)
    with pytest.raises(CallRefused):
        check("/x", urlencode(fields).encode(), X_Twilio_Signature=signature)


@pytest.mark.parametrize("body", [b"\xff=%ff", b"a=%ff", b"&".join(b"a=1" for _ in range(500)), b"no form"])
def test_what_is_no_form_is_refused(body: bytes) -> None:
    with pytest.raises(CallRefused):
        check("/x", body, X_Twilio_Signature="x")

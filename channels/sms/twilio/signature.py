"""Whether a webhook is Twilio's: the SDK's own computation, kept away from what its `validate` lets through.

`validate` returns True for a JSON body that it was given as an object, whatever its hash; raises `TypeError` without
the header, or for a body without a hash; and looks at a port only as far as the first colon. So the hash is checked
here, over the octets that came, the URL is ours from the configuration, and only `compute_signature` is asked.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from urllib.parse import parse_qs, parse_qsl, urlparse

from multidict import MultiDict, MultiMapping
from twilio.request_validator import (
    HMAC_SHA1,
    HMAC_SHA256,
    SIGNATURE_HEADER,
    SIGNATURE_SETTINGS_HEADER,
    RequestValidator,
    add_port,
    remove_port,
)

from channels.sms.errors import CallRefused
from channels.sms.twilio.settings import TwilioSettings

_MOST_FIELDS = 200
_FORM = "application/x-www-form-urlencoded"


def proven(
    settings: TwilioSettings, path: str, headers: MultiMapping[str], content_type: str, body: bytes
) -> MultiDict[str]:
    """The fields of a call that Twilio has signed. `path` is as it came, with its query. Raises `CallRefused`.

    A JSON call has no fields that are signed; its body is, by its hash in the URL.
    """
    url = settings.public_url.rstrip("/") + path
    fields: MultiDict[str] = _fields(body) if content_type == _FORM else MultiDict()
    if content_type != _FORM:
        _check_hash(url, body)
    given = headers.get(SIGNATURE_HEADER, "").encode()
    candidates = [
        RequestValidator(secret).compute_signature(address, fields, algorithm)
        for secret, algorithm in _secrets(settings, headers.get(SIGNATURE_SETTINGS_HEADER, ""))
        # Twilio is not of one mind about a port that stands in the URL.
        for address in {url, add_port(urlparse(url)), remove_port(urlparse(url))}
    ]
    if not any(hmac.compare_digest(candidate.encode(), given) for candidate in candidates):
        raise CallRefused(403, "not signed by Twilio")
    if fields.get("AccountSid", settings.account) != settings.account:
        raise CallRefused(403, "another account's")
    return fields


def _fields(body: bytes) -> MultiDict[str]:
    """Blank ones too, and nothing trimmed: all of it is signed."""
    try:
        pairs = parse_qsl(
            body.decode(),
            keep_blank_values=True,
            strict_parsing=bool(body),
            max_num_fields=_MOST_FIELDS,
            errors="strict",
        )
    except ValueError:
        raise CallRefused(400, "no form") from None
    return MultiDict(pairs)


def _check_hash(url: str, body: bytes) -> None:
    hashes = parse_qs(urlparse(url).query).get("bodySHA256", [])
    wanted = hashlib.sha256(body).hexdigest()
    if len(hashes) != 1 or not hmac.compare_digest(hashes[0].lower().encode(), wanted.encode()):
        raise CallRefused(403, "its hash is not the body's")


def _secrets(settings: TwilioSettings, line: str) -> Iterator[tuple[str, str]]:
    """What it may be signed with. With a SharedKey only by that: nobody may choose the weaker proof."""
    if not line:
        yield from ((token, HMAC_SHA1) for token in settings.tokens)
        return
    named = dict(part.strip().partition("=")[::2] for part in line.split(","))
    secret = settings.shared_keys.get(named.get("key", ""))
    if secret is not None and named.get("algorithm", "").upper() == HMAC_SHA256:
        yield secret, HMAC_SHA256

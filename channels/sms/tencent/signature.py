"""Signs a request to Tencent Cloud's APIs: TC3-HMAC-SHA256 ("Signature v3", tencentcloud.com). Pure."""

from __future__ import annotations

import hashlib
import hmac
import time

ALGORITHM = "TC3-HMAC-SHA256"
CONTENT_TYPE = "application/json; charset=utf-8"


def authorization(*, key: tuple[str, str], service: str, host: str, timestamp: int, body: bytes) -> str:
    """The header of a JSON POST. `key` is (SecretId, SecretKey); `timestamp` is seconds since 1970."""
    names = "content-type;host"
    lines = f"content-type:{CONTENT_TYPE}\nhost:{host}\n"
    request = "\n".join(["POST", "/", "", lines, names, hashlib.sha256(body).hexdigest()])
    date = time.strftime("%Y-%m-%d", time.gmtime(timestamp))
    scope = f"{date}/{service}/tc3_request"
    to_sign = "\n".join([ALGORITHM, str(timestamp), scope, hashlib.sha256(request.encode()).hexdigest()])
    secret = f"TC3{key[1]}".encode()
    for part in (date, service, "tc3_request"):
        secret = _hmac(secret, part)
    signature = _hmac(secret, to_sign).hex()
    return f"{ALGORITHM} Credential={key[0]}/{scope}, SignedHeaders={names}, Signature={signature}"


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()

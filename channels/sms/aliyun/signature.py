"""Signs a request to Aliyun's RPC APIs: ACS3-HMAC-SHA256 ("V3版本请求体&签名机制", help.aliyun.com). Pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import quote

ALGORITHM = "ACS3-HMAC-SHA256"


def query_of(parameters: Mapping[str, str]) -> str:
    """The canonical query: sorted, with everything but letters, digits and `-_.~` written as %XY."""
    return "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in sorted(parameters.items()))


def signed(
    *,
    key: tuple[str, str],
    host: str,
    action: str,
    version: str,
    query: str,
    date: str,
    nonce: str,
) -> dict[str, str]:
    """The headers of a POST without a body. `key` is (AccessKeyId, AccessKeySecret); `date` is 2023-10-26T10:22:32Z."""
    headers = {
        "host": host,
        "x-acs-action": action,
        "x-acs-content-sha256": hashlib.sha256(b"").hexdigest(),
        "x-acs-date": date,
        "x-acs-signature-nonce": nonce,
        "x-acs-version": version,
    }
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = "\n".join(["POST", "/", query, lines, names, headers["x-acs-content-sha256"]])
    to_sign = f"{ALGORITHM}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.new(key[1].encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    return {**headers, "authorization": f"{ALGORITHM} Credential={key[0]},SignedHeaders={names},Signature={signature}"}

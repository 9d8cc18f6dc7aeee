"""Nodes that share a store are one hotline only if they share their secrets too."""

from __future__ import annotations

import hashlib
import hmac

from config.secrets import MachineSecrets
from session.errors import YihaoError
from session.ports import SharedState

KEY = "hotline"
REMEMBERED_S = 365 * 24 * 3600.0


class SecretsDiffer(YihaoError):
    """Another node works on this store with other secrets: each would take the other's visitors for strangers."""

    def __init__(self) -> None:
        super().__init__(
            "the store belongs to a hotline with other secrets: give this node the same secrets.* (secrets.json of the "
            "first node's data folder), or another store or store.tenant"
        )


async def one_hotline(shared: SharedState, keys: MachineSecrets) -> None:
    """Leave the mark of our secrets in the store, or hold ours to the mark that is there. Raises `SecretsDiffer`."""
    whole = "\0".join(secret.reveal() for secret in (keys.resume_key, keys.cookie_key, keys.pepper))
    mark = hashlib.sha256(f"yihao:{whole}".encode()).hexdigest().encode()
    if not await shared.put_new(KEY, mark, ttl_s=REMEMBERED_S):
        known = await shared.get(KEY)
        if known is not None and not hmac.compare_digest(known, mark):
            raise SecretsDiffer
    await shared.put(KEY, mark, ttl_s=REMEMBERED_S)

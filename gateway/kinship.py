"""Nodes that share a store are one hotline: they work with the same secrets, whoever made them.

A visitor whom one node has signed must not be a stranger to the next. The first node leaves what it made in the store,
which is trusted whole (THREAT_MODEL.md); others take it from there. What an operator has set stands above it.
"""

from __future__ import annotations

import json
from dataclasses import fields

from config.secret import Secret
from config.secrets import MachineSecrets
from config.settings import Secrets
from session.errors import YihaoError
from session.ports import SharedState

KEY = "hotline"
REMEMBERED_S = 365 * 24 * 3600.0


class SecretsDiffer(YihaoError):
    """A secret that is set for this node is not the one that the other nodes on its store work with."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"secrets.{name} is not what the other nodes on this store work with: set it the same for all of them, or "
            "leave it empty here"
        )


async def one_hotline(shared: SharedState, own: MachineSecrets, chosen: Secrets) -> MachineSecrets:
    """The secrets that all nodes on the store work with. Raises `SecretsDiffer` where one of `chosen` contradicts."""
    names = [one.name for one in fields(MachineSecrets)]
    mine = json.dumps({name: getattr(own, name).reveal() for name in names}).encode()
    await shared.put_new(KEY, mine, ttl_s=REMEMBERED_S)
    kept = await shared.get(KEY) or mine
    ours = MachineSecrets(**{name: Secret(text) for name, text in json.loads(kept).items()})
    for name in names:
        if getattr(chosen, name) and getattr(chosen, name) != getattr(ours, name):
            raise SecretsDiffer(name)
    await shared.put(KEY, kept, ttl_s=REMEMBERED_S)
    return ours

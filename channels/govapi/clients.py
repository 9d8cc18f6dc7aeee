"""What must be true of the clients together, before any of them is let in. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from yarl import URL

from channels.govapi.errors import CallbackForeign, ClientsAlike
from channels.govapi.settings import Client

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def check(clients: Sequence[Client], *, plain_callbacks: bool) -> None:
    """Raises `ClientsAlike`, `CallbackForeign`."""
    for what, values in (
        ("id", [client.id for client in clients]),
        ("secret", [secret for client in clients for secret in set(client.secrets)]),
    ):
        if len(Counter(values)) != len(values):
            raise ClientsAlike(what)
    for client in clients:
        url = URL(client.callback)
        is_plain = url.scheme == "http" and url.host in _LOOPBACK and plain_callbacks
        if client.callback and not (url.scheme == "https" and url.host and not url.user) and not is_plain:
            raise CallbackForeign(client.id)

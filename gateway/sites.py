"""The keys of sites that sign who their visitor is, from the configuration to the chat's own form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from channels.webchat.signing import SiteKey
from config.settings import Site


def site_keys(sites: Iterable[Site]) -> Iterator[SiteKey]:
    """Each `kid=key` of each site."""
    for site in sites:
        for secret in site.secrets:
            name, _, key = secret.reveal().partition("=")
            yield SiteKey(site.id, name, "HS256", key)
        for public in site.public_keys:
            name, _, key = public.partition("=")
            yield SiteKey(site.id, name, "EdDSA", key)

"""Who truly asks, where a proxy of ours (Kamailio) stands before several nodes: what it noted of the hop before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from channels.phone.flow import Flow
from channels.phone.sip.grammar import param
from channels.phone.sip.via import Via


def seen_through(flow: Flow, vias: Sequence[Via], is_proxy: Callable[[str], bool]) -> Flow:
    """The flow with the address that lies beyond our proxies.

    Each hop notes in the Via of the one before it where the request came from, unless that Via already says so
    (RFC 3261, section 18.2.1). Only what a proxy of ours noted is believed: the rest anybody may have written.
    """
    address = flow.remote[0]
    for via in vias[1:]:
        if not is_proxy(address):
            break
        address = param(via.params, "received") or via.host
    return flow if address == flow.remote[0] else replace(flow, beyond=address)

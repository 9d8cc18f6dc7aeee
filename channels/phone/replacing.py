"""An INVITE that is to take a dialog's place (Replaces, RFC 3891): another telephone comes to an agent's call.

Who learns the names of a dialog has them from its telephone, for they cannot be guessed. That is not enough: it is
their own other telephone that comes, or a colleague's whom they have sent (Referred-By, RFC 3892). Which dialogs there
are is for nobody to find out: one that is there, and is not theirs to have, is refused as one that is not.
"""

from __future__ import annotations

from collections.abc import Sequence

from channels.phone.asides import Asides
from channels.phone.bridge import Bridge
from channels.phone.errors import MalformedMessage
from channels.phone.incoming import IncomingCall
from channels.phone.sip.address import NameAddress
from channels.phone.sip.dialog import DialogId
from channels.phone.sip.grammar import parse_params
from channels.phone.sip.refer import read_replaces
from session.ids import AssigneeId
from session.ports import Credential, Telephones

_GONE = 481
_BUSY_HERE = 486


async def replace(
    call: IncomingCall, lines: Sequence[str], by: Credential | None, asides: Asides, telephones: Telephones
) -> None:
    """Let it take the agent's place on the citizen's call that it names, or refuse it. Raises `StoreUnavailable`."""
    try:
        (one,) = lines
        dialog, is_early_only = read_replaces(one), "early-only" in _flags(one)
    except (ValueError, MalformedMessage):
        call.refuse(400)
        return
    bridge = await _theirs(call, dialog, by, asides, telephones)
    if bridge is None or by is None:
        call.refuse(_GONE)
    elif is_early_only:
        call.refuse(_BUSY_HERE)  # section 3: it has been answered
    else:
        await bridge.succession.be_taken_up(call, by.login)


async def _theirs(
    call: IncomingCall, dialog: DialogId, by: Credential | None, asides: Asides, telephones: Telephones
) -> Bridge | None:
    bridge = asides.bridge_of(dialog)
    agent = bridge.succession.agent if bridge is not None else None
    if by is None or agent is None:
        return None
    if agent == by.login or await _sent_by(call, agent, telephones):
        return bridge
    return None


async def _sent_by(call: IncomingCall, agent: AssigneeId, telephones: Telephones) -> bool:
    said = call.request.headers.first("referred-by")
    try:
        who = NameAddress.parse(said, "Referred-By").uri.number if said is not None else None
    except MalformedMessage:
        return False
    return who is not None and who == await telephones.extension_of(agent)


def _flags(replaces: str) -> set[str]:
    _, semicolon, rest = replaces.partition(";")
    return {name.lower() for name, _ in parse_params(semicolon + rest, "Replaces")}

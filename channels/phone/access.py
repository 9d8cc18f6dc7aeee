"""Who may register and call: digest credentials against the extensions there are, failures counted by the guard."""

from __future__ import annotations

import asyncio
import re
import time

from channels.phone.application import Reply
from channels.phone.errors import MalformedMessage
from channels.phone.flow import Flow
from channels.phone.guard import Guard
from channels.phone.sip.digest import Authenticator, Credentials, Verdict
from channels.phone.sip.message import Request
from session.ports import Credential, Telephones

# RFC 8760 has a phone take the first challenge that it knows; these give up at the first that they do not. Measured:
# baresip 1.0.0, "Register: Function not implemented"; JsSIP 3.13, "Digest algorithm different than 'MD5'"; sipp 3.6.1,
# "authentication must use MD5 or AKAv1-MD5", whose scenario has to name it. They are offered what they know, where MD5
# is accepted.
_STOPS_AT_UNKNOWN = re.compile(r"baresip v[01]\.|JsSIP[ /]|SIP\.js/|SIPp/")


class Access:
    """Turns a request into the credential of the extension that it proves to be, or into the answer to give."""

    def __init__(self, authenticator: Authenticator, telephones: Telephones, guard: Guard) -> None:
        self._authenticator = authenticator
        self._telephones = telephones
        self._guard = guard

    async def identify(self, request: Request, flow: Flow) -> Credential | Reply:
        """The extension's credential, else 401.

        A user that does not exist is challenged and refused in the same words and the same time as one that does, and
        so is one for whom too many have guessed: no credentials are looked at then, and nobody can tell.
        """
        try:
            offered = self._offered(request)
        except MalformedMessage as fault:
            return Reply(fault.status)
        if offered is None:
            return self._challenge(request)
        host, now = flow.origin, asyncio.get_running_loop().time()
        if self._guard.is_barred(host, offered.username, now):
            return self._challenge(request)
        credential = await self._telephones.credential(offered.username)
        stored = credential.ha1 if credential is not None else None
        verdict = self._authenticator.verify(offered, request.method, request.uri, stored, time.time())
        if verdict is Verdict.ACCEPTED and credential is not None:
            return credential
        if verdict is Verdict.WRONG:
            self._guard.failed(host, offered.username, now)
        return self._challenge(request, stale=verdict is Verdict.STALE)

    def _offered(self, request: Request) -> Credentials | None:
        """The credentials for our realm; another scheme or realm counts as none."""
        for value in request.headers.all("authorization"):
            credentials = Credentials.parse(value)
            if credentials is not None and credentials.realm == self._authenticator.realm:
                return credentials
        return None

    def _challenge(self, request: Request, *, stale: bool = False) -> Reply:
        only_md5 = _STOPS_AT_UNKNOWN.match(request.headers.first("user-agent") or "") is not None
        return Reply(401, self._authenticator.challenges(time.time(), stale=stale, only_md5=only_md5))

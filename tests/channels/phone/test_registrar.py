"""Registrations: by telephones of ours, and by baresip over both transports."""

import asyncio
import time
from pathlib import Path

import pytest

from channels.phone.adapter import PhoneChannel
from session.ids import AssigneeId, SessionId
from tests.channels.phone.conftest import OpenPhone
from tests.channels.phone.core import PASSWORD, Core
from tests.channels.phone.telephone import Telephone, authorization
from tests.conftest import Eventually


@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5"])
async def test_first_registration_refresh_and_departure(phone: PhoneChannel, core: Core, algorithm: str) -> None:
    async with Telephone(phone.bound, user="8001") as device:
        answer = await device.register(PASSWORD, algorithm=algorithm)
        assert answer.status == 200
        assert "expires=600" in (answer.headers.first("contact") or "")
        assert (await device.register(PASSWORD, algorithm=algorithm, cseq=3)).status == 200
        gone = await device.register(PASSWORD, algorithm=algorithm, cseq=5, expires=0)
        assert "contact" not in gone.headers
        assert core.presence == [("a8001", True), ("a8001", False), ("a8001", False), ("gone", False)]
        assert all(b"8001" not in key.encode() for key in core.maps), "no key names an extension"


async def test_registration_that_ran_out_is_an_absence(phone: PhoneChannel, core: Core, eventually: Eventually) -> None:
    async with Telephone(phone.bound, user="8001") as device:
        await device.register(PASSWORD)
        core.expire_all()
        await device.register(PASSWORD, cseq=3)
        assert core.presence == [("a8001", True), ("a8001", True)]


@pytest.mark.parametrize(("asked", "status", "granted"), [(5, 423, None), (999_999, 200, 3600), (120, 200, 120)])
async def test_interval(phone: PhoneChannel, asked: int, status: int, granted: int | None) -> None:
    async with Telephone(phone.bound, user="8001") as device:
        answer = await device.register(PASSWORD, expires=asked)
        assert answer.status == status
        if granted is None:
            assert answer.headers.first("min-expires") == "60"
        else:
            assert f"expires={granted}" in (answer.headers.first("contact") or "")


async def test_two_devices_ring_and_the_slower_one_is_told(
    phone: PhoneChannel, core: Core, eventually: Eventually
) -> None:
    async with (
        Telephone(phone.bound, user="8001", device="desk-0x1") as one,
        Telephone(phone.bound, user="8001", tcp=True) as two,
        Telephone(phone.bound) as caller,
    ):
        await one.register(PASSWORD)
        answer = await two.register(PASSWORD)
        assert len(answer.headers.all("contact")) == 2
        await caller.call()
        leg = core.contacts[0].leg
        await phone.ring(SessionId(f"session-{leg}"), leg, AssigneeId("a8001"), 1, time.time() + 20)
        first, second = await one.request("INVITE"), await two.request("INVITE")
        assert (first.uri.user, first.to_address.uri.user) == ("desk-0x1", "8001"), "by what a proxy knows who it is"
        one.reply(first, 180)
        two.reply(second, 200, body=two.offer())
        await two.request("ACK")
        cancel = await one.request("CANCEL")
        assert "cause=200" in (cancel.headers.first("reason") or "")
        await eventually(lambda: core.accepted == [(AssigneeId("a8001"), 1)])


async def test_asterisk_removes_all_and_only_with_expires_of_zero(phone: PhoneChannel, core: Core) -> None:
    async with Telephone(phone.bound, user="8001") as device:
        await device.register(PASSWORD)
        for cseq, expires, status in ((10, 60, 400), (20, 0, 200)):
            answer = await _with_contact(device, "*", expires, cseq)
            assert answer == status
        assert list(core.maps.values()) == [{}]


async def _with_contact(device: Telephone, contact: str, expires: int, cseq: int) -> int:
    uri = f"sip:{device.server[0]}:{device.server[1]}"
    extra: tuple[str, ...] = (f"Expires: {expires}",)
    status = 0
    for number in (cseq, cseq + 1):
        device.heard.clear()
        plain = device.compose("REGISTER", uri, call=f"star{cseq}", cseq=number, to="<sip:8001@yihao>", extra=extra)
        device.send(plain.replace(f"Contact: {device.contact}".encode(), f"Contact: {contact}".encode()))
        answer = await device.response("REGISTER")
        status = answer.status
        if status == 401:
            extra = (*extra[:1], authorization(answer, "REGISTER", uri, "8001", PASSWORD, "MD5"))
    return status


async def test_nobody_registers_as_another(phone: PhoneChannel, core: Core) -> None:
    async with Telephone(phone.bound, user="8002") as device:
        uri = f"sip:{phone.bound[0]}:{phone.bound[1]}"
        device.send(device.compose("REGISTER", uri, call="x", to="<sip:8001@yihao>"))
        proof = authorization(await device.response("REGISTER"), "REGISTER", uri, "8002", PASSWORD, "SHA-256")
        device.send(device.compose("REGISTER", uri, call="x", cseq=2, to="<sip:8001@yihao>", extra=(proof,)))
        assert (await device.response("REGISTER", count=2)).status == 403
        assert core.presence == []


async def test_wrong_password_and_unknown_user_look_the_same_and_ban(open_phone: OpenPhone) -> None:
    async with (
        open_phone(trunks=()) as phone,
        Telephone(phone.bound, host="127.5.0.1", user="8001") as guessing,
        Telephone(phone.bound, host="127.5.0.2", user="7777") as inventing,
        Telephone(phone.bound, host="127.5.0.3", user="8002") as honest,
    ):
        one, other = await guessing.register("wrong"), await inventing.register("wrong")
        assert (one.status, other.status) == (401, 401)
        assert [name for name, _ in one.headers] == [name for name, _ in other.headers]
        for cseq in range(3, 11, 2):
            await guessing.register("wrong", cseq=cseq)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await guessing.register(PASSWORD, cseq=20)
        assert (await honest.register(PASSWORD)).status == 200


async def test_store_away(phone: PhoneChannel, core: Core) -> None:
    async with Telephone(phone.bound, user="8001") as device:
        uri = f"sip:{phone.bound[0]}:{phone.bound[1]}"
        device.send(device.compose("REGISTER", uri, call="x", to="<sip:8001@yihao>"))
        proof = authorization(await device.response("REGISTER"), "REGISTER", uri, "8001", PASSWORD, "SHA-256")
        core.is_away = True
        device.send(device.compose("REGISTER", uri, call="x", cseq=2, to="<sip:8001@yihao>", extra=(proof,)))
        answer = await device.response("REGISTER", count=2)
        assert (answer.status, "retry-after" in answer.headers) == (503, True)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_baresip_registers(
    open_phone: OpenPhone, core: Core, eventually: Eventually, tmp_path: Path, transport: str
) -> None:
    async with open_phone(trunks=()) as phone:
        (tmp_path / "config").write_text(
            "net_interface 127.0.0.1\nsip_listen 127.0.0.1:0\nmodule_path /usr/lib/baresip/modules\n"
            "module g711.so\nmodule_tmp account.so\nmodule_app menu.so\n"
        )
        account = f"<sip:8001@127.0.0.1:{phone.bound[1]};transport={transport}>"
        (tmp_path / "accounts").write_text(f'{account};auth_user=8001;auth_pass="{PASSWORD}";regint=60\n')
        baresip = await asyncio.create_subprocess_exec(
            "baresip", "-f", str(tmp_path), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            await eventually(lambda: core.presence == [("a8001", True)], deadline_s=10)
        finally:
            baresip.kill()
            await baresip.wait()

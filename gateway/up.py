"""`yihao up`: serve until SIGTERM or SIGINT, then drain and leave."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import sys

from config.settings import Settings
from gateway import logs
from gateway.house import House, open_house
from gateway.process import allow_many_files, collect_seldom, take_short_turns

log = logging.getLogger(__name__)

PATIENCE_S = 5.0
"""Beyond the drain's own bound: how long closing may take before the process ends anyway."""


async def serve(settings: Settings, *, ready_json: bool) -> int:
    """0 after an orderly end; 1 where a duty failed for good, so that whoever started us starts us again."""
    logs.set_up(settings.log.level, settings.log.format)
    allow_many_files()
    take_short_turns()
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, asked.set)
    async with open_house(settings) as house:
        collect_seldom()
        sys.stdout.write(ready_line(house) if ready_json else await banner(house))
        sys.stdout.flush()
        await _either(asked, house.failed)
        log.info("draining")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(settings.drain.bound_s + PATIENCE_S):
                await house.drain()
        return 1 if house.failed.is_set() else 0


async def _either(*events: asyncio.Event) -> None:
    waits = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


def ready_line(house: House) -> str:
    """For programs: one line of JSON."""
    line = {
        "ready": True,
        "number": house.settings.sip.number[0],
        "http": f"http://{house.http}",
        "sip_udp": str(house.sip),
        "sip_tcp": str(house.sip),
        "https": f"https://{house.https}" if house.https else None,
        "sip_tls": str(house.sip_tls) if house.sip_tls else None,
        "credentials": str(house.credentials.resolve()) if house.credentials else None,
    }
    return json.dumps(line) + "\n"


async def banner(house: House) -> str:
    """For people: what to try."""
    number, http = house.settings.sip.number[0], f"http://{house.http}"
    lines = [
        "",
        f"  一号 Yihao is up / 热线已开通: {number}",
        "",
        f"  citizen's page / 市民网页   {http}/",
        f"  agent's desk   / 坐席工作台 {http}/desk",
        f"  telephone      / 电话       sip:{number}@{house.sip} (UDP and TCP)",
        *(
            [
                f"  the same, TLS  / 加密       https://{house.https}/ https://{house.https}/desk",
                f"                              sip:{number}@{house.sip_tls};transport=tls",
            ]
            if house.https and house.sip_tls
            else []
        ),
        f"  try it         / 试拨       .venv/bin/yihao dial {number} --server {house.sip}",
        "",
    ]
    if house.credentials is not None:
        lines += ["  demo agents / 演示坐席  (kept in " + str(house.credentials) + ", mode 600)", ""]
        kept = json.loads(await asyncio.to_thread(house.credentials.read_text))
        lines += [
            f"    login {one['login']}   password {one['password']}   softphone {one['extension']}   "
            f"SIP password {one['sip_password']}"
            for one in kept
        ]
        lines += [""]
    lines += ["  Ctrl+C ends it / 按 Ctrl+C 停止", ""]
    return "\n".join(lines) + "\n"

"""A flood: one datagram, so many times a second, from one address, in a process of its own.

`python -m tests.peers.flood HOST PORT FROM RATE SECONDS < datagram` says at its end how many it sent and was answered.
"""

import json
import socket
import sys
import time
from contextlib import suppress

SLICE_S = 0.001


def flood(server: tuple[str, int], host: str, wire: bytes, rate: float, seconds: float) -> dict[str, float]:
    """Send by the clock; what the clock has run ahead of is caught up on, as far as the machine can."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((host, 0))
        sender.connect(server)
        sender.setblocking(False)
        sent, began = 0, time.monotonic()
        while (passed := time.monotonic() - began) < seconds:
            for _ in range(int(rate * passed) - sent):
                with suppress(BlockingIOError, ConnectionRefusedError):
                    sender.send(wire)
                sent += 1
            time.sleep(SLICE_S)
        answered = 0
        with suppress(BlockingIOError, ConnectionRefusedError):
            while sender.recv(65_535):
                answered += 1
    return {"sent": sent, "answered": answered, "rate": round(sent / seconds)}


if __name__ == "__main__":
    host, port, source, rate, seconds = sys.argv[1:]
    found = flood((host, int(port)), source, sys.stdin.buffer.read(), float(rate), float(seconds))
    sys.stdout.write(json.dumps(found))

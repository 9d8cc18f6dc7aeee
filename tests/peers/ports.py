"""Ports that stay free: for a server that ends and comes back on the same one."""

import random
import socket
from contextlib import ExitStack

# Below those that the system gives to whoever asks for any: else a client's socket may sit on a port whose server is
# just being started again.
_BELOW_THE_SYSTEMS = range(20000, 32000, 2)


def free_pair() -> int:
    """A port of 127.0.0.1 that is free, for UDP and TCP, together with the next one."""
    for _ in range(100):
        port = random.choice(_BELOW_THE_SYSTEMS)
        with ExitStack() as stack:
            try:
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    for one in (port, port + 1):
                        stack.enter_context(socket.socket(socket.AF_INET, kind)).bind(("127.0.0.1", one))
            except OSError:
                continue
            return port
    raise AssertionError("no two free ports side by side")

"""Become another program that the kernel ends when our parent does. A script: `launch.py PARENT PROGRAM ARGUMENT…`.

The package's server outlives a parent that crashes, and would hold its folder and memory from then on. Code between
fork and exec is not safe in a process with threads, so this is a program of its own: it needs 20 ms, once.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""prctl(2)"""
MALLOC = "glibc.malloc.tcache_count=127"
"""The server comes without an allocator of its own, and makes and frees some fifty small pieces for each command, of
which glibc keeps seven of a size at hand. With more it takes 6 % fewer instructions for a command. Others ignore it.
"""

if __name__ == "__main__":
    parent, program, *arguments = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(parent):  # it died before we could ask
            sys.exit(1)
    os.putenv("GLIBC_TUNABLES", MALLOC)
    os.execv(program, [program, *arguments])  # noqa: S606 - that is the whole point; the program is ours

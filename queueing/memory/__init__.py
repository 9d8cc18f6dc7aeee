"""The store in one process's memory: the same contract, told in plain Python by the rules of `queueing.policy`.

It keeps nothing over a restart and searches where Redis has an index, so it is for trying things out, for tests, and
as the model that the scripts are held to.
"""

from queueing.memory.store import MemoryStore

__all__ = ["MemoryStore"]

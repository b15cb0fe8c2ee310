# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether bytes are in the shared memory of a proxy."""
import contextlib


def _shared(pid):
    with open("/proc/%d/maps" % pid, encoding="ascii", errors="replace") as maps:
        for line in maps:
            fields = line.split()
            if fields[1].startswith("rw") and fields[1].endswith("s"):
                begin, _, end = fields[0].partition("-")
                yield int(begin, 16), int(end, 16)


def shared_memory(pid):
    """All that is in it, mapping by mapping."""
    with open("/proc/%d/mem" % pid, "rb", buffering=0) as memory:
        for begin, end in _shared(pid):
            memory.seek(begin)
            with contextlib.suppress(OSError, ValueError):  # a mapping that cannot be read
                yield memory.read(end - begin)


def in_shared_memory(pid, wanted):
    """How often it is there."""
    return sum(data.count(wanted) for data in shared_memory(pid))

# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether bytes are in the shared memory of a proxy."""


def _shared(pid):
    with open("/proc/%d/maps" % pid, encoding="ascii", errors="replace") as maps:
        for line in maps:
            fields = line.split()
            if fields[1].startswith("rw") and fields[1].endswith("s"):
                begin, _, end = fields[0].partition("-")
                yield int(begin, 16), int(end, 16)


def in_shared_memory(pid, wanted):
    """How often it is there."""
    found = 0
    with open("/proc/%d/mem" % pid, "rb", buffering=0) as memory:
        for begin, end in _shared(pid):
            memory.seek(begin)
            try:
                data = memory.read(end - begin)
            except (OSError, ValueError):
                continue  # a mapping that cannot be read
            found += data.count(wanted)
    return found

# SPDX-License-Identifier: GPL-2.0-or-later
"""A worker that stops or dies at the begin of a chosen function of the module, by a few bytes in its memory.

The code of a process is its own copy as soon as it is written to, so nobody else is touched. No
debugger, no other build; the right to trace is needed, and x86.
"""
import os
import platform
import subprocess

from .kamailio import module_path

SPIN = b"\xeb\xfe"  # jmp to itself
SEGV = b"\x89\x04\x25\0\0\0\0"  # mov %eax, 0


def reason_why_not():
    """Why this machine cannot, or None."""
    if platform.machine() != "x86_64":
        return "no bytes for " + platform.machine()
    return None if os.geteuid() == 0 else "only root writes into other processes"


def addresses():
    """{function: offset} of the module's file."""
    text = subprocess.run(["nm", module_path()], capture_output=True, text=True, timeout=20, check=True).stdout
    rows = (line.split() for line in text.splitlines())
    return {row[2]: int(row[0], 16) for row in rows if len(row) == 3 and row[1] in "tT"}


def base_of(pid):
    """Where the module begins in a process."""
    path = os.path.realpath(module_path())
    with open("/proc/%d/maps" % pid, encoding="utf-8") as text:
        return min(int(line.split("-")[0], 16) for line in text if line.rstrip().endswith(path))


class Traps:
    """`with Traps(pids, "ab_bucket_unlock", SPIN) as traps: ...`: set in all of them until the block ends."""

    def __init__(self, pids, function, code):
        self.code, self.saved = code, {}
        self.pids, self.offset = list(pids), addresses()[function]

    def _exchange(self, pid, code):
        """Writes code; returns what was there."""
        with open("/proc/%d/mem" % pid, "r+b", buffering=0) as memory:
            memory.seek(base_of(pid) + self.offset)
            old = memory.read(len(code))
            memory.seek(-len(code), os.SEEK_CUR)
            memory.write(code)
        return old

    def __enter__(self):
        for pid in self.pids:
            self.saved[pid] = self._exchange(pid, self.code)
        return self

    def lift(self, but=None):
        """Takes them away from all that live; one may keep its own, for good."""
        saved, self.saved = self.saved, {}
        for pid, old in saved.items():
            try:
                if pid != but:
                    self._exchange(pid, old)
            except (OSError, ValueError):
                pass  # dead

    def __exit__(self, *_):
        self.lift()

# SPDX-License-Identifier: GPL-2.0-or-later
"""CPU time of a proxy's UDP workers, by the kernel's own accounting."""
import time

from .wait import wait_for


def workers(proxy):
    """The pids that read UDP."""
    found = [pid for pid, name in proxy.pids().items() if name.startswith("udp receiver")]
    assert found, proxy.pids()
    return found


def cpu_ns(pids):
    """Nanoseconds on a processor, user and system, so far."""
    total = 0
    for pid in pids:
        with open("/proc/%d/schedstat" % pid, encoding="ascii") as text:
            total += int(text.read().split()[0])
    return total


class Meter:
    """`with Meter(proxy) as meter: flood(...)`; then meter.seconds of CPU and meter.wall."""

    def __init__(self, proxy):
        self.pids = workers(proxy)

    def __enter__(self):
        self.begin, self.before = time.monotonic(), cpu_ns(self.pids)
        return self

    def __exit__(self, *_):
        self.wall = time.monotonic() - self.begin
        self._wait_at_rest()
        self.seconds = 1e-9 * (cpu_ns(self.pids) - self.before)

    def _wait_at_rest(self):
        """What waits in the socket belongs to the flood."""
        last = [-1]

        def rests():
            now = cpu_ns(self.pids)
            last.append(now)
            return last[-1] == last[-2]

        wait_for(rests, 10, "the workers have nothing to do", pause=0.05)

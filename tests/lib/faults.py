# SPDX-License-Identifier: GPL-2.0-or-later
"""What must hold while Redis is away, whatever the reason, and when it is back."""
import contextlib
import multiprocessing
import time

from .fleet import (THRESHOLD, banned, cpu_seconds, pid_of, status, wait_banned, wait_connected,
                    wait_disconnected)
from .kamailio import Proxy
from .traffic import Honest, RoundRobin, answers, failures, percentile, silent, spread
from .wait import wait_for

REQUESTS = 200
AWAY, BACK = r"ERROR: authban.*Redis at .* is away", r"NOTICE: authban.*Redis at .* is connected"
NOISE = 0.1  # seconds; a worker that waited for Redis would wait 0.5 or more


def honest_requests(nodes, rate=100):
    """(answered, seconds of each) of 200 REGISTERs over all proxies."""
    with Honest(nodes) as honest:
        return honest.run(REQUESTS, rate)


def assert_served(name, answered, with_fault, without):
    """All answered, and no request waited for Redis; prints the figures."""
    print("\n%s: answered=%d/%d %s (without the fault %s)"
          % (name, answered, REQUESTS, spread(with_fault), spread(without)))
    assert answered == REQUESTS
    assert percentile(with_fault, 0.99) < percentile(without, 0.99) + NOISE


def assert_local_ban(node, source):
    """Counting and blocking go on by what this proxy knows."""
    with RoundRobin([node], source, judged=failures) as attacker:
        evaluated = attacker.send(30)
    assert evaluated == THRESHOLD
    assert banned(node, source) and silent(node, source)
    assert answers(node, "127.6.99.99"), "it does serve others"
    return evaluated


class Notes:
    """How many lines about Redis each log has; secrets never appear."""

    def __init__(self, nodes):
        self.nodes = nodes
        self.before = [self.count(node) for node in nodes]

    @staticmethod
    def count(node):
        return len(node.log_lines(AWAY)), len(node.log_lines(BACK))

    def new(self):
        """[(entries, exits)] since then."""
        return [(away - old_away, back - old_back) for (away, back), (old_away, old_back)
                in zip(map(self.count, self.nodes), self.before)]


def assert_shown(nodes):
    """authban.status says disconnected, and why, within 2 s; returns the longest time."""
    took = max(wait_disconnected(node, 2.0) for node in nodes)
    for node in nodes:
        wait_for(lambda: status(node)["redis_last_error"], 1, "the error has words")
        assert status(node)["redis_errors"] > 0
    return took


def assert_no_secret(nodes, secret="of-the-test"):
    for node in nodes:
        assert secret not in node.log() + str(status(node))


def assert_converges(nodes, sources, within=2.0):
    """All proxies have all these bans in time; returns the seconds it took."""
    begin = time.monotonic()
    for source in sources:
        wait_banned(nodes, source, max(0.0, begin + within - time.monotonic()), 0.01)
    for node in nodes:
        wait_connected(node, 1.0)
    return time.monotonic() - begin


def other_lines(node, since):
    """Warnings and errors of the module that are not about Redis being away, after `since` bytes of log."""
    return [line for line in node.log()[since:].splitlines()
            if ("ERROR" in line or "WARNING" in line or "CRITICAL" in line) and "is away" not in line]


# --- honest phones beside a fault: in a process of their own, so that what the test does is not measured ---

class Load:
    """`with Load(nodes) as load: ...; load.stop()`: a phone at each proxy registers all the time.

    And one at a proxy that has no Redis, at the same moments: what else the machine does is in both figures.
    """

    def __init__(self, nodes, rate=100):
        context = multiprocessing.get_context("fork")
        self.alone = Proxy(defines={"AB_THRESHOLD": THRESHOLD})
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_register, args=([*nodes, self.alone], rate, theirs))
        self.stack, self.answered, self.seconds, self.without = contextlib.ExitStack(), 0, [], []

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.alone)
            self.process.start()
            stack.callback(self._end)
            assert self.pipe.poll(5) and self.pipe.recv() == "ready", "the phones are registered"
            self.stack = stack.pop_all()
        return self

    def stop(self):
        """Ends it; answered, seconds and without (at the other proxy) are there then."""
        self.pipe.send("stop")
        assert self.pipe.poll(10), "the phones say what they saw"
        self.answered, self.seconds, self.without = self.pipe.recv()
        self.process.join(5)

    def _end(self):
        if self.process.is_alive():
            self.process.kill()
        self.process.join(5)
        self.pipe.close()

    def __exit__(self, *_):
        self.stack.close()


def _register(nodes, rate, pipe):
    missed, took = 0, []
    with Honest(nodes) as honest:
        pipe.send("ready")
        while not pipe.poll():
            good, seconds = honest.run(len(nodes), rate)
            missed, took = missed + len(nodes) - good, took + seconds
    without = took[len(nodes) - 1::len(nodes)]
    seconds = [one for number, one in enumerate(took) if number % len(nodes) != len(nodes) - 1]
    pipe.send((len(seconds) - missed, seconds, without))


def report(name, load, took, lost=0, notes=None, **more):
    """Ends the load and prints the figures of a fault: p99 beside that without Redis, bans lost, time to converge.

    With notes there has to be one line on entry and one on exit at each proxy.
    """
    load.stop()
    print("\n%s: served=%d/%d %s (without Redis %s) bans_lost=%d converged_after=%s%s"
          % (name, load.answered, len(load.seconds), spread(load.seconds), spread(load.without), lost,
             "-" if took is None else "%.2fs" % took, "".join(" %s=%s" % item for item in more.items())))
    assert load.answered == len(load.seconds) > 20 and lost == 0
    assert percentile(load.seconds, 0.99) < max(load.without) + 3 * NOISE, "somebody waited for Redis"
    assert notes is None or notes.new() == [(1, 1)] * len(notes.nodes)


def lost(nodes, sources):
    """How many of the bans are missing, over all proxies."""
    return sum(not banned(node, source) for node in nodes for source in sources)


class Busy:
    """Share of a processor that the sync processes take: `busy = Busy(nodes); ...; busy.share()`."""

    def __init__(self, nodes):
        self.pids = [pid_of(node, "authban sync") for node in nodes]
        self.cpu, self.begin = self._cpu(), time.monotonic()

    def _cpu(self):
        return sum(map(cpu_seconds, self.pids))

    def share(self):
        return (self._cpu() - self.cpu) / (time.monotonic() - self.begin) / len(self.pids)


def fail(node, source, count):
    """So many failures of one source at one proxy; all of them are evaluated."""
    with RoundRobin([node], source, judged=failures) as attacker:
        assert attacker.send(count) == count


def wait_sent(nodes, timeout=5.0):
    """Seconds until Redis has everything."""
    begin = time.monotonic()
    for node in nodes:
        wait_for(lambda: status(node)["redis"] == "connected" and not status(node)["redis_pending"], timeout,
                 node.node + " has sent all")
    return time.monotonic() - begin

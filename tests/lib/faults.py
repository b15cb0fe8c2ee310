# SPDX-License-Identifier: GPL-2.0-or-later
"""What must hold while Redis is away, whatever the reason, and when it is back."""
import time

from .fleet import THRESHOLD, banned, status, wait_banned, wait_connected, wait_disconnected
from .traffic import Honest, RoundRobin, answers, percentile, silent, spread
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
    with RoundRobin([node], source) as attacker:
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

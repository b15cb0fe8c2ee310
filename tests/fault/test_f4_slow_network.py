# SPDX-License-Identifier: GPL-2.0-or-later
"""F4: 300 ms +-50 ms and 64 kbit/s to Redis. SIP does not notice; what is unsent waits, is reported, and arrives."""
import time

import pytest

from lib import faults
from lib.far import Far
from lib.fleet import banned, status, wait_banned, wait_connected
from lib.sip import Guesser

SLOW = dict(delay=0.3, jitter=0.05, rate=64e3)
SOURCES = 40


@pytest.fixture(scope="module")
def far():
    with Far(3) as three:
        for number in (1, 2, 3):
            three.slow(number, **SLOW)
        yield three


def failures(node, count):
    """One of each of so many sources; seconds of each pair of requests."""
    took = []
    for number in range(count):
        with Guesser("user-%d" % number, node.target, source="127.20.%d.%d" % (number // 40, number % 40 + 1),
                     netns=node.netns, timeout=1.0) as guesser:
            begin = time.monotonic()
            assert guesser.guess() == 401
            took.append(time.monotonic() - begin)
    return took


def drain(node):
    """(largest lag in ms, most that waited, seconds until all was sent)"""
    lag = pending = 0
    begin = time.monotonic()
    while True:
        row = status(node)
        lag, pending = max(lag, row["redis_lag_ms"]), max(pending, row["redis_pending"])
        if not row["redis_pending"]:
            return lag, pending, time.monotonic() - begin
        assert time.monotonic() < begin + 60, "it gets less: %s" % row
        time.sleep(0.1)


def test_f4_a_burst_of_failures_and_a_start(far):
    """Both take several round trips: side by side."""
    nodes = far.nodes[:2]
    errors = [status(node)["redis_errors"] for node in nodes]
    nodes[0].rpc("authban.ban", "127.21.1.2", 600)
    wait_banned(nodes, "127.21.1.2", 5.0)
    with faults.Load(nodes) as load:
        begin = time.monotonic()
        failures(nodes[0], SOURCES)
        rate, begin = SOURCES / (time.monotonic() - begin), time.monotonic()
        with far.proxy(4, host=3, port=5070) as late:
            started = time.monotonic() - begin
            lag, pending, _ = drain(nodes[0])
            sent = time.monotonic() - begin
            nodes[0].rpc("authban.ban", "127.21.1.1", 600)
            took = wait_banned(nodes, "127.21.1.1", 5.0)
            wait_connected(late, 10.0)
            connected = time.monotonic() - begin
            for source in ("127.21.1.1", "127.21.1.2"):  # the newest may be news to it
                wait_banned([late], source, 5.0)
            lost = faults.lost([*nodes, late], ["127.21.1.1", "127.21.1.2"])
        faults.report("F4 slow network", load, took, lost, failures="%.0f/s" % rate, waiting=pending, lag="%dms" % lag,
                      all_sent_after="%.1fs" % sent)
    new = [status(node)["redis_errors"] - old for node, old in zip(nodes, errors)]
    print("F4: errors=%s start: answers_after=%.2fs connected_after=%.1fs" % (new, started, connected))
    assert lag > 500 and pending > 10 and new == [0, 0] and started < 3.5


def test_f4_the_sum_counts_all_the_same(far):
    """Two failures here, two there, and one more: the sum bans, a few round trips later."""
    nodes, source = far.nodes[:2], "127.22.1.1"
    for node in nodes:
        faults.fail(node, source, 2)
    time.sleep(1.5)
    assert not any(banned(node, source) for node in nodes)
    faults.fail(nodes[0], source, 1)
    took = wait_banned(nodes, source, 5.0)
    print("\nF4 sum: everywhere_after=%.2fs" % took)


def test_f4_fast_again(far):
    for number in (1, 2, 3):
        far.heal(number)
    far.nodes[2].rpc("authban.ban", "127.23.1.2", 600)
    took = faults.assert_converges(far.nodes, ["127.23.1.2"])
    print("\nF4 healed: agree_after=%.2fs" % took)

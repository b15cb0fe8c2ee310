# SPDX-License-Identifier: GPL-2.0-or-later
"""F1: Redis hangs (SIGSTOP): it accepts connections and answers nothing. And F12's cousin: it is paused."""
import os
import threading
import time

import pytest

from lib import faults
from lib.fleet import banned, cpu_seconds, fleet, make_proxy, pid_of, status, wait_banned, wait_connected, \
    wait_disconnected
from lib.redis import Redis
from lib.traffic import Honest, RoundRobin, paced
from lib.wait import holds_for, wait_for


@pytest.fixture
def two():
    with fleet(2) as both:
        yield both


def test_f1_redis_stopped(two):
    redis, nodes = two
    _, without = faults.honest_requests(nodes)
    notes, ends = faults.Notes(nodes), [len(node.log()) for node in nodes]
    redis.pause()
    answered, during = faults.honest_requests(nodes)
    shown = faults.assert_shown(nodes)
    faults.assert_local_ban(nodes[0], "127.6.1.1")
    faults.assert_local_ban(nodes[1], "127.6.1.2")
    assert not banned(nodes[1], "127.6.1.1")
    redis.resume()
    took = faults.assert_converges(nodes, ["127.6.1.1", "127.6.1.2"])
    faults.assert_served("F1 redis stopped", answered, during, without)
    lines = notes.new()
    print("F1: shown_after_load=%.2fs agree_after_return=%.2fs lines(away,back)=%s" % (shown, took, lines))
    assert lines == [(1, 1), (1, 1)]
    assert [faults.other_lines(node, end) for node, end in zip(nodes, ends)] == [[], []]
    faults.assert_no_secret(nodes)


def test_f1_is_noticed_within_two_seconds_when_nothing_happens(two):
    """At six moments of the second, because the process that notices wakes up once a second."""
    redis, nodes = two
    took = []
    for _ in range(6):
        for _ in paced(3 + len(took), 20):
            pass
        redis.pause()
        begin = time.monotonic()
        for node in nodes:
            wait_disconnected(node)
            took.append(time.monotonic() - begin)
        redis.resume()
        for node in nodes:
            wait_connected(node)
    print("\nF1 idle: noticed_after=%s limit=2s" % " ".join("%.2fs" % seconds for seconds in took))
    assert max(took) <= 2.0


def test_f1_shutdown_while_redis_hangs():
    took = []
    with Redis(password="of-the-test") as redis:
        for number in range(3):
            with make_proxy(redis, number) as node:
                redis.pause()
                with RoundRobin([node], "127.6.1.%d" % (10 + number)) as attacker:
                    attacker.send(3)
                if number:
                    wait_disconnected(node)
                took.append(node.stop())
                redis.resume()
    print("\nF1 shutdown: took=%s limit=1s" % " ".join("%.2fs" % seconds for seconds in took))
    # One second by the rule; Kamailio itself looks at its children once a second.
    assert max(took) <= 1.5


def test_f1_no_busy_loop(two):
    """A hung Redis costs next to no processor time."""
    redis, nodes = two
    redis.pause()
    wait_disconnected(nodes[0])
    pid = pid_of(nodes[0], "authban sync")
    before = cpu_seconds(pid)
    with Honest(nodes) as honest:
        honest.run(200, 100)
    used = cpu_seconds(pid) - before
    redis.resume()
    print("\nF1 sync process: cpu=%.2fs of 2 s" % used)
    assert used < 0.4


def test_f1_short_stops_lose_nothing(two):
    """Stops of 0.2 to 1.1 s under attack: shares are absolute, so nothing is lost and nothing counts twice."""
    redis, nodes = two
    after = []
    for turn in range(10):
        source = "127.6.2.%d" % (turn + 1)
        with RoundRobin(nodes, source) as attacker:
            attacker.send(2)
            redis.pause()
            for _ in paced(turn + 3, 10):
                pass
            attacker.send(2)
            redis.resume()
            for node in nodes:
                wait_for(lambda: status(node)["redis"] == "connected" and not status(node)["redis_pending"],
                         3, "all is sent")
            holds_for(lambda: not any(banned(node, source) for node in nodes), 0.2, "four are four")
            after.append(attacker.send(20))
        wait_banned(nodes, source)
    print("\nF1 short stops: counted_before=4 evaluated_after=%s errors=%s"
          % (after, [status(node)["redis_errors"] for node in nodes]))
    assert all(1 <= evaluated <= 1 + 5 for evaluated in after)


def sockets_to(pid, port):
    """How many descriptors of a process are TCP sockets to a port, by /proc alone."""
    inodes = set()
    for family in ("tcp", "tcp6"):
        with open("/proc/%d/net/%s" % (pid, family), encoding="ascii") as table:
            for line in list(table)[1:]:
                fields = line.split()
                if int(fields[2].rpartition(":")[2], 16) == port:
                    inodes.add("socket:[%s]" % fields[9])
    folder = "/proc/%d/fd" % pid
    return sum(link(os.path.join(folder, name)) in inodes for name in os.listdir(folder))


def link(path):
    try:
        return os.readlink(path)
    except OSError:
        return ""


def holders(node, port):
    """{description: sockets to Redis} of the processes that have any."""
    counts = {text: sockets_to(pid, port) for pid, text in node.pids().items()}
    return {text: count for text, count in counts.items() if count}


def test_no_sip_worker_has_a_socket_to_redis(two):
    """Under load, with Redis up, hung, and back: only "authban sync" ever holds one."""
    redis, nodes = two
    seen = {"up": [], "hung": [], "back": []}

    def look(phase):
        for node in nodes:
            seen[phase].append(holders(node, redis.port))
    with Honest(nodes) as honest:
        load = threading.Thread(target=honest.run, args=(400, 100))
        load.start()
        look("up")
        redis.pause()
        for _ in paced(20, 10):
            look("hung")
        redis.resume()
        for node in nodes:
            wait_for(lambda: status(node)["redis"] == "connected", 2, "it is back")
        look("back")
        load.join()
    workers = [text for text in nodes[0].pids().values() if "receiver" in text]
    print("\nF1 sockets: looked=%d workers=%d up=%s back=%s hung_holders=%s" % (
        sum(map(len, seen.values())), len(workers), seen["up"], seen["back"],
        sorted({name for row in seen["hung"] for name in row})))
    assert len(workers) >= 4
    assert seen["up"] == seen["back"] == [{"authban sync": 2}] * 2
    assert all(set(row) <= {"authban sync"} for rows in seen.values() for row in rows)

# SPDX-License-Identifier: GPL-2.0-or-later
"""F27: proxies of another version on the same Redis. What they write is ignored, counted and said once; nobody is harmed.

Their records are signed with the cluster's key and differ in nothing but the version (and bytes that it may have added).
"""
import os
import time

import pytest

from lib import wire
from lib.fleet import THRESHOLD, banned, cluster_key, fleet, known, status, wait_banned
from lib.traffic import RoundRobin, answers
from lib.wait import holds_for, wait_for

SECONDS = 60 if os.environ.get("AUTHBAN_LONG") else 1
NEWER, OLDER = wire.VERSION + 1, wire.VERSION - 1
MORE = b"what a later version adds"


@pytest.fixture(scope="module")
def two():
    with fleet(2) as both:
        yield both


def now_ms():
    return int(time.time() * 1000)


def speak(client, node, number, more):
    """One round: an announcement, a ban, an unban of somebody banned, an allow entry, shares, a record cut short."""
    now, start = now_ms(), now_ms() // 1000 // 600 * 600
    victim = "127.14.%d.%d" % (node.version, 1 + number % 250)
    client("HSET", wire.NODES, *node.announcement(now - 1000, now, more=more))
    states = [node.state(victim, now, more=more), node.state("127.14.0.1", now, wire.UNBANNED, more=more),
              node.state("127.14.0.0", now, kind=wire.ALLOW, bits=96 + 24, more=more)]
    for record in states + [states[0][:5]]:
        client("XADD", wire.LOG, "*", "r", record)
        client("HSET", wire.map_key(victim), wire.place(victim), record)
    for begin in (start, start - 600):
        key, field, value = node.share(shared_source(node.version), begin, 1000)
        client("HSET", key, field, value[:-8] + more + value[-8:])
    return victim


def shared_source(version):
    """Where it claims to have seen failures."""
    return "127.14.0.%d" % (10 + version)


def peers(node):
    return {row["node"]: row for row in status(node)["peers"]}


@pytest.mark.parametrize("version, cause, which", [(NEWER, "version", "this one"), (OLDER, "range", "that one")])
def test_another_version_is_ignored_and_reported(two, version, cause, which):
    redis, nodes = two
    with open(cluster_key(redis), "rb") as text:
        other = wire.Node(text.read().strip(), "node-of-%d" % version, version)
    nodes[0].rpc("authban.ban", "127.14.0.1", 600)
    wait_banned(nodes, "127.14.0.1")
    before, rounds, end = [status(node) for node in nodes], 0, time.monotonic() + SECONDS
    with redis.client() as client:
        while rounds < 20 or time.monotonic() < end:
            victim = speak(client, other, rounds, MORE if version == NEWER else b"")
            rounds += 1
            time.sleep(0.01)
    with RoundRobin(nodes, shared_source(version)) as attacker:
        evaluated = attacker.send(2)
    for node, old in zip(nodes, before):
        wait_for(lambda: status(node)["redis_refused"][cause] >= old["redis_refused"][cause] + 4 * rounds, 3, "refused")
    holds_for(lambda: all(banned(node, "127.14.0.1") and not banned(node, victim) for node in nodes), 0.3, "no effect")
    took = time.monotonic()
    for node in nodes:
        wait_for(lambda: other.name in peers(node), 7, "it is among the peers")
        wait_for(lambda: node.log_lines("proxy %s writes records of version %d" % (other.name, version)), 1, "reported")
    took = time.monotonic() - took
    lines = [node.log_lines("proxy %s writes records.* upgrade %s" % (other.name, which)) for node in nodes]
    after = [status(node) for node in nodes]
    print("\nF27 version %d beside %d: rounds=%d, refused %s=%s, of its shares %s, lines=%s" % (
        version, wire.VERSION, rounds, cause,
        [now["redis_refused"][cause] - old["redis_refused"][cause] for now, old in zip(after, before)],
        [peers(node)[other.name]["refused"] for node in nodes], [len(found) for found in lines]))
    assert [len(found) for found in lines] == [1, 1]
    assert all(peers(node)[other.name]["wire_version"] == version for node in nodes)
    assert evaluated == 2 and [known(node, shared_source(version))["failures_elsewhere"] for node in nodes] <= [1, 1]
    for now, old in zip(after, before):
        assert [now[name] for name in ("banned", "allowed", "redis_errors", "redis_reconnects")] == [
            old[name] for name in ("banned", "allowed", "redis_errors", "redis_reconnects")]
    assert all(answers(node, victim) for node in nodes)


def test_control_our_own_version_is_understood(two):
    redis, nodes = two
    with open(cluster_key(redis), "rb") as text:
        same = wire.Node(text.read().strip(), "node-of-ours")
    start = now_ms() // 1000 // 600 * 600
    with redis.client() as client:
        client("HSET", *same.share("127.14.0.3", start, THRESHOLD - 1))
        client("XADD", wire.LOG, "*", "r", same.state("127.14.0.4", now_ms()))
    with RoundRobin(nodes[:1], "127.14.0.3") as attacker:
        attacker.send(1)
    wait_banned(nodes, "127.14.0.3")
    wait_banned(nodes, "127.14.0.4")

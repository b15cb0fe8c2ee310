# SPDX-License-Identifier: GPL-2.0-or-later
"""F12: a key of another type lies where ours belongs. The others work on; when it goes away, so does the trouble."""
import pytest

from lib import faults, wire
from lib.fleet import banned, cpu_seconds, fleet, make_proxy, pid_of, status, wait_banned, wait_connected
from lib.redis import RedisError
from lib.traffic import Honest, RoundRobin
from lib.wait import wait_for

PLACES = {"map": ["{authban:0}:b:%d" % bucket for bucket in range(256)], "log": [wire.LOG], "mark": [wire.MARK]}


def put_strings(redis, keys):
    with redis.client() as client:
        for key in keys:
            client("DEL", key)
            client("LPUSH" if key == wire.MARK else "SET", key, "9223372036854775807")


def delete(redis, keys):
    with redis.client() as client:
        for key in keys:
            client("DEL", key)


def cpu_under_load(nodes):
    """Share of a processor that the sync processes take while phones register for 2 s."""
    pids = [pid_of(node, "authban sync") for node in nodes]
    before = sum(map(cpu_seconds, pids))
    with Honest(nodes) as honest:
        answered, took = honest.run(200, 100)
    assert answered == 200
    return (sum(map(cpu_seconds, pids)) - before) / max(2.0, sum(took)) / len(pids)


def trouble(node):
    """What an operator sees: records dropped, or why there is no connection."""
    row = status(node)
    return row["redis_last_error"] if row["redis"] == "disconnected" else row["redis_dropped"]


@pytest.mark.parametrize("place", PLACES)
def test_wrong_type(place):
    keys = PLACES[place]
    with fleet(2) as (redis, nodes):
        nodes[0].rpc("authban.ban", "127.10.1.1", 600)
        wait_banned(nodes, "127.10.1.1")
        put_strings(redis, keys)
        faults.assert_local_ban(nodes[0], "127.10.1.2")
        faults.assert_local_ban(nodes[1], "127.10.1.3")
        busy = cpu_under_load(nodes)
        assert all(banned(node, "127.10.1.1") for node in nodes)
        with make_proxy(redis, 3) as late:
            faults.assert_local_ban(late, "127.10.1.4")
        wait_for(lambda: all(map(trouble, nodes)), 7, "it is visible")
        shown = [trouble(node) for node in nodes]
        delete(redis, keys)
        took = faults.assert_converges(nodes, ["127.10.1.%d" % number for number in (1, 2, 3)], 7.0)
        print("\nF12 %s: cpu_of_sync=%.1f%% agree_after=%.2fs shown=%s" % (place, 100 * busy, took, shown))
        assert busy < 0.2


def test_a_bucket_of_counts_of_the_wrong_type():
    """Only its sources lose the cluster's sum; each proxy still counts for itself, the others are as ever."""
    with fleet(2) as (redis, nodes):
        with RoundRobin(nodes[:1], "127.10.2.1") as attacker:
            attacker.send(1)
        wait_for(lambda: bucket_keys(redis, "127.10.2.1"), 1, "its bucket")
        put_strings(redis, bucket_keys(redis, "127.10.2.1"))
        with RoundRobin(nodes, "127.10.2.1") as attacker:
            evaluated = attacker.send(40)
        with RoundRobin(nodes, "127.10.2.2") as attacker:
            other = attacker.send(40)
        wait_banned(nodes, "127.10.2.1")
        wait_banned(nodes, "127.10.2.2")
        counts = [status(node)["redis_dropped"] for node in nodes]
        print("\nF12 counts: evaluated=%d limit=10 other_source=%d dropped=%s" % (evaluated + 1, other, counts))
        assert evaluated + 1 <= 2 * 5 and other <= 5 + 5 and min(counts) > 0
        for node in nodes:
            wait_connected(node, 0.5)


def bucket_keys(redis, source):
    with redis.client() as client:
        return client("KEYS", "{authban:0}:c:*:%d" % wire.count_bucket(source))


def test_redis_full_or_refusing_writes():
    """F9 and F10: no memory for writes: local bans go on, and all is told when there is room again."""
    with fleet(2) as (redis, nodes):
        redis.command("CONFIG", "SET", "maxmemory", "100kb")
        with pytest.raises(RedisError, match="OOM"):
            redis.command("SET", "x", "y")
        faults.assert_local_ban(nodes[0], "127.10.3.1")
        wait_for(lambda: "OOM" in status(nodes[0])["redis_last_error"], 2, "the cause is shown")
        busy = cpu_under_load(nodes)
        redis.command("CONFIG", "SET", "maxmemory", "0")
        took = faults.assert_converges(nodes, ["127.10.3.1"])
        lines = [len(node.log_lines(faults.AWAY)) for node in nodes]
        print("\nF9 full: cpu_of_sync=%.1f%% agree_after=%.2fs lines=%s" % (100 * busy, took, lines))
        assert busy < 0.2 and max(lines) <= 2

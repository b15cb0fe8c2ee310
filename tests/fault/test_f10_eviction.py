# SPDX-License-Identifier: GPL-2.0-or-later
"""F10: Redis throws away keys to make room. Living proxies know their bans, and send again what is missing."""
import time

from lib import faults, wire
from lib.fleet import fleet, make_proxy, wait_banned
from lib.redis import RedisError
from lib.wait import wait_for

HEALTH = 5.0  # how often a proxy looks
BANS = ["127.30.%d.%d" % (number // 100, number % 100 + 1) for number in range(300)]


def missing(redis):
    """Bans that the map does not hold."""
    with redis.client() as client:
        return [source for source in BANS if not client("HEXISTS", wire.map_key(source), wire.place(source))]


def squeeze(redis, enough):
    """Somebody else's keys fill the memory until so many of our bans are evicted; returns how many are."""
    with redis.client() as client:
        used = int(next(line for line in client("INFO", "memory").split() if line.startswith("used_memory:"))[12:])
        client("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
        client("CONFIG", "SET", "maxmemory", max(1 << 20, used + (64 << 10)))
        for number in range(200000):
            try:
                client("SET", "somebody:%d" % number, "x" * 200)
            except RedisError:
                pass  # nothing evictable at this moment
            if number % 500 == 499 and len(missing(redis)) >= enough:
                break
    return len(missing(redis))


def evict(redis, nodes):
    """(bans evicted, seconds until all are back)"""
    gone = squeeze(redis, len(BANS) // 4)
    redis.command("CONFIG", "SET", "maxmemory", "0")
    begin = time.monotonic()
    wait_for(lambda: not missing(redis), HEALTH + 3, "all bans are in Redis again", 0.1)
    assert faults.lost(nodes, BANS[::10]) == 0
    return gone, time.monotonic() - begin


def test_f10_evicted_bans_come_back():
    with fleet(2) as (redis, nodes):
        for source in BANS:
            nodes[0].rpc("authban.ban", source, 600)
        wait_banned(nodes, BANS[-1])
        wait_for(lambda: not missing(redis), 2, "all are in the map")
        with faults.Load(nodes) as load:
            gone, took = evict(redis, nodes)
            with make_proxy(redis, 3) as late:
                known = len(BANS) - faults.lost([late], BANS)
            faults.report("F10 eviction", load, took, faults.lost(nodes, BANS), evicted=gone, limit="%.0fs" % (HEALTH + 3),
                          a_new_proxy_has=known)
    assert gone >= len(BANS) // 4 and known == len(BANS)


def test_f10_the_mark_alone_stays():
    """The bans are gone and the mark, by which a wipe is noticed, is not."""
    with fleet(2) as (redis, nodes):
        for source in BANS[:20]:
            nodes[1].rpc("authban.ban", source, 600)
        wait_banned(nodes, BANS[19])
        time.sleep(0.2)
        for source in BANS[:10]:
            redis.command("DEL", wire.map_key(source))
        begin = time.monotonic()
        wait_for(lambda: not set(missing(redis)) & set(BANS[:20]), HEALTH + 2, "they are back", 0.05)
        took = time.monotonic() - begin
        lines = [len(node.log_lines("has lost .* records of bans")) for node in nodes]
    print("\nF10 deleted buckets: back_after=%.2fs lines=%s" % (took, lines))
    assert sum(lines) >= 1 and max(lines) <= 1

# SPDX-License-Identifier: GPL-2.0-or-later
"""F15: somebody empties Redis while all are connected. Living proxies know everything and say it again."""
import time

from lib import faults, wire
from lib.fleet import THRESHOLD, banned, fleet, make_proxy, status, wait_banned, wait_connected
from lib.traffic import Honest, RoundRobin
from lib.wait import wait_for

HEALTH = 5.0  # how often a proxy looks whether Redis was emptied
BANS = ["127.8.1.%d" % number for number in range(1, 51)]


def in_redis(redis, sources):
    """How many of them the map holds."""
    with redis.client() as client:
        return sum(client("HEXISTS", wire.map_key(source), wire.place(source)) for source in sources)


def wipe(redis, nodes, sources):
    """Seconds until the map is whole again."""
    for source in sources:
        nodes[0].rpc("authban.ban", source, 600)
    wait_banned(nodes, sources[-1])
    wait_for(lambda: in_redis(redis, sources) == len(sources), 2, "all are in the map")
    redis.command("FLUSHALL")
    begin = time.monotonic()
    assert in_redis(redis, sources) < len(sources)
    wait_for(lambda: in_redis(redis, sources) == len(sources), HEALTH + 2, "all are in the map again", 0.02)
    return time.monotonic() - begin


def test_f15_bans_come_back():
    with fleet(2) as (redis, nodes):
        _, without = faults.honest_requests(nodes)
        with Honest(nodes) as honest:
            took = wipe(redis, nodes, BANS)
            answered, during = honest.run(faults.REQUESTS, 100)
        assert all(banned(node, source) for node in nodes for source in BANS)
        with make_proxy(redis, 3) as late:
            assert sum(banned(late, source) for source in BANS) == len(BANS)
        faults.assert_served("F15 wiped", answered, during, without)
        print("F15: bans=%d back_in_redis_after=%.2fs limit=%.0fs a_new_proxy_has=%d"
              % (len(BANS), took, HEALTH + 2, len(BANS)))
        assert all(len(node.log_lines("has lost its memory")) == 1 for node in nodes)


def test_f15_counting_goes_on_over_a_wipe():
    """Local blocking and the cluster's sum: what was counted before still counts after a wipe."""
    with fleet(2) as (redis, nodes):
        with RoundRobin(nodes, "127.8.2.1") as attacker:
            attacker.send(THRESHOLD - 1)
            redis.command("FLUSHALL")
            evaluated = attacker.send(30)
        took = wait_banned(nodes, "127.8.2.1")
        faults.assert_local_ban(nodes[1], "127.8.2.2")
        wait_banned(nodes, "127.8.2.2")
        print("\nF15 counts: evaluated_after_the_wipe=%d listed_after=%.0fms" % (evaluated, 1e3 * took))
        assert 1 <= evaluated <= THRESHOLD


def test_f15_wiped_again_and_again():
    """FLUSHALL every 0.2 s for 6 s under attack: no ban is lost on a living proxy."""
    with fleet(2) as (redis, nodes):
        end, turn = time.monotonic() + 6, 0
        while time.monotonic() < end:
            turn += 1
            nodes[turn % 2].rpc("authban.ban", "127.8.3.%d" % turn, 600)
            # a network and a user for each: none comes under watch
            with RoundRobin(nodes, "127.9.%d.1" % turn, "user-%d" % turn) as attacker:
                attacker.send(15)
            redis.command("FLUSHALL")
        sources = [form % number for form in ("127.8.3.%d", "127.9.%d.1") for number in range(1, turn + 1)]
        took = faults.assert_converges(nodes, sources, HEALTH + 2)
        wait_for(lambda: in_redis(redis, sources) == len(sources), HEALTH + 2, "all are in the map")
        print("\nF15 wipes=%d: bans=%d lost=0 agree_after=%.2fs errors=%s"
              % (turn, len(sources), took, [status(node)["redis_errors"] for node in nodes]))
        for node in nodes:
            wait_connected(node, 1.0)


def test_f15_an_unban_survives_a_wipe():
    with fleet(2) as (redis, nodes):
        nodes[0].rpc("authban.ban", "127.8.5.1", 600)
        wait_banned(nodes, "127.8.5.1")
        nodes[1].rpc("authban.unban", "127.8.5.1")
        wait_for(lambda: not banned(nodes[0], "127.8.5.1"), 1, "lifted")
        redis.command("FLUSHALL")
        wait_for(lambda: in_redis(redis, ["127.8.5.1"]), HEALTH + 2, "the unban is in the map again")
        with make_proxy(redis, 3) as late:
            assert not banned(late, "127.8.5.1")

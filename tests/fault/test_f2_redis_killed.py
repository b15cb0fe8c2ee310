# SPDX-License-Identifier: GPL-2.0-or-later
"""F2: Redis dies and comes back on the same port: with nothing, or with what it had."""
from lib import faults
from lib.fleet import THRESHOLD, banned, fleet, make_proxy, status, wait_banned, wait_connected, wait_disconnected
from lib.redis import Redis
from lib.traffic import RoundRobin
from lib.wait import holds_for


def test_f2_redis_killed():
    with fleet(2) as (redis, nodes):
        _, without = faults.honest_requests(nodes)
        nodes[0].rpc("authban.ban", "127.7.1.9", 600)
        wait_banned(nodes, "127.7.1.9")
        notes, ends = faults.Notes(nodes), [len(node.log()) for node in nodes]
        redis.kill()
        shown = faults.assert_shown(nodes)
        answered, during = faults.honest_requests(nodes)
        faults.assert_local_ban(nodes[0], "127.7.1.1")
        faults.assert_local_ban(nodes[1], "127.7.1.2")
        nodes[1].rpc("authban.ban", "127.7.1.3", 600, "while_away")
        assert not banned(nodes[0], "127.7.1.3")
        redis.start()
        took = faults.assert_converges(nodes, ["127.7.1.1", "127.7.1.2", "127.7.1.3"])
        with make_proxy(redis, 3) as late:
            assert all(banned(late, "127.7.1.%d" % number) for number in (1, 2, 3, 9)), "all is in the new Redis"
        faults.assert_served("F2 redis killed", answered, during, without)
        lines = notes.new()
        print("F2: shown_after=%.2fs agree_after_return=%.2fs lines(away,back)=%s" % (shown, took, lines))
        assert lines == [(1, 1), (1, 1)]
        assert [faults.other_lines(node, end) for node, end in zip(nodes, ends)] == [[], []]
        faults.assert_no_secret(nodes)


def test_f2_an_unban_while_away_wins_afterwards():
    """Redis kept the old ban; the newer word of a living proxy counts."""
    with Redis(password="of-the-test", persistent=True) as redis, fleet(2, redis=redis) as (_, nodes):
        nodes[0].rpc("authban.ban", "127.7.2.1", 600)
        wait_banned(nodes, "127.7.2.1")
        redis.kill()
        for node in nodes:
            wait_disconnected(node)
        nodes[1].rpc("authban.unban", "127.7.2.1")
        redis.start()
        for node in nodes:
            wait_connected(node, 2.0)
        from_now = [banned(node, "127.7.2.1") for node in nodes]
        lifted = faults.wait_for(lambda: not any(banned(node, "127.7.2.1") for node in nodes), 2, "lifted")
        holds_for(lambda: not any(banned(node, "127.7.2.1") for node in nodes), 1.0, "it stays lifted")
        with make_proxy(redis, 3) as late:
            assert not banned(late, "127.7.2.1")
        print("\nF2 unban while away: lifted=%s at_once=%s" % (lifted, not any(from_now)))


def test_f2_ten_restarts_lose_no_ban():
    with fleet(2) as (redis, nodes):
        for turn in range(10):
            redis.restart_empty()
            nodes[turn % 2].rpc("authban.ban", "127.7.3.%d" % (turn + 1), 600)
            for node in nodes:
                wait_connected(node, 3.0)
        sources = ["127.7.3.%d" % (turn + 1) for turn in range(10)]
        took = faults.assert_converges(nodes, sources)
        print("\nF2 restarts=10: bans=%d lost=0 agree_after=%.2fs reconnects=%s"
              % (len(sources), took, [status(node)["redis_reconnects"] for node in nodes]))


def test_f2_counts_survive_an_empty_restart():
    """Failures that were counted before, by either proxy, are pushed again and still count."""
    with fleet(2) as (redis, nodes), RoundRobin(nodes, "127.7.4.1") as attacker:
        assert attacker.send(THRESHOLD - 1) == THRESHOLD - 1
        redis.restart_empty()
        for node in nodes:
            wait_connected(node, 3.0)
        evaluated = attacker.send(20)
        wait_banned(nodes, "127.7.4.1")
        print("\nF2 counts: before=%d evaluated_after=%d" % (THRESHOLD - 1, evaluated))
        assert 1 <= evaluated <= 1 + 5


def test_f2_shutdown_while_redis_is_dead():
    with Redis(password="of-the-test") as redis, make_proxy(redis, 1) as node:
        redis.kill()
        wait_disconnected(node)
        took = node.stop()
    print("\nF2 shutdown: took=%.2fs limit=1s" % took)
    assert took <= 1.5

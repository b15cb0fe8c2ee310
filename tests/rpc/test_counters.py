# SPDX-License-Identifier: GPL-2.0-or-later
"""The statistics group authban: all names of the interface, by both ways to read, and moving with traffic."""
import pytest

from lib.fleet import fleet, wait_banned
from lib.kamailio import Proxy
from lib.sip import Guesser, Phone
from lib.traffic import RoundRobin, answers, silent
from lib.wait import wait_for

NAMES = {"checked", "blocked", "failures", "successes", "malformed", "unproven", "bans", "unbans", "evictions",
         "would_block", "backend_errors", "redis_errors", "entries", "banned", "sync_lag_ms"}


@pytest.fixture(scope="module")
def node():
    with Proxy(node="node-1", defines={"AB_THRESHOLD": 5}) as one:
        yield one


def test_all_names_by_both_ways(node):
    by_counter = node.authban()
    by_stats = {name.partition(".")[2]: int(value) for name, value in node.rpc("stats.fetch", "authban:").items()}
    assert NAMES <= set(by_counter) and set(by_counter) == set(by_stats)
    assert all(by_counter[name] == by_stats[name] for name in by_counter if name != "sync_lag_ms")
    for words in (("cnt.grp_get_all", "authban"), ("stats.fetch", "authban:")):
        text = node.kamcmd(*words)[1]
        assert all(name in text for name in NAMES)


class Moves:
    """`with Moves(node, failures=5, bans=1)`: these move by so much, the others named by nothing."""

    def __init__(self, node, **wanted):
        self.node, self.wanted = node, wanted

    def __enter__(self):
        self.before = self.node.authban()

    def moved(self):
        now = self.node.authban()
        return {name: now[name] - self.before[name] for name in self.wanted}

    def __exit__(self, kind, *_):
        if kind is None:
            wait_for(lambda: sum(map(abs, self.moved().values())) >= sum(map(abs, self.wanted.values())), 1, "moves")
            assert self.moved() == self.wanted


def test_failures_and_a_ban(node):
    # a source, its network, and the user that it tried
    with Moves(node, failures=5, bans=1, unbans=0, banned=1, entries=3, successes=0, unproven=0, malformed=0):
        with RoundRobin([node], "127.15.1.1") as attacker:
            attacker.send(20, 500)


def test_blocked(node):
    node.rpc("authban.ban", "127.15.1.2", 600)
    with Moves(node, blocked=3, failures=0, checked=0):
        assert not any(answers(node, "127.15.1.2", 0.1) for _ in range(3))


def test_an_unban(node):
    node.rpc("authban.ban", "127.15.1.3", 600)
    with Moves(node, unbans=1, bans=0, banned=-1):
        node.rpc("authban.unban", "127.15.1.3")


def test_a_success(node):
    with Moves(node, successes=1, failures=0, checked=2, bans=0, entries=0):
        with Phone("bob", "bob-secret", node.target, source="127.15.1.4") as phone:
            assert phone.register().status == 200


def test_unproven(node):
    """The token of another address proves nothing."""
    with Guesser("alice", node.target, source="127.15.1.5") as one, \
            Guesser("alice", node.target, source="127.15.1.6") as other:
        challenge = one.challenge()
        with Moves(node, unproven=1, failures=0, entries=0):
            assert other.answer(challenge) == 401


def test_malformed(node):
    with Guesser("alice", node.target, source="127.15.1.7", kind="svcrack") as guesser:
        with Moves(node, malformed=1, failures=1):
            assert guesser.guess() == 401


def test_a_retransmission_counts_once(node):
    """One attempt counts once: the same nonce and response again within 64 s is the same attempt."""
    with Guesser("alice", node.target, source="127.15.1.8") as guesser:
        data = guesser.build([guesser.answer_header(guesser.challenge(), "wrong")])
        with Moves(node, failures=1, checked=3):
            for _ in range(3):
                guesser.link.send(data)


def test_would_block_in_dry_run():
    with Proxy(node="node-1", defines={"AB_THRESHOLD": 5, "AB_MODE": "dry_run"}) as node:
        node.rpc("authban.ban", "127.15.2.1", 600)
        with Moves(node, would_block=3, blocked=0):
            assert all(answers(node, "127.15.2.1") for _ in range(3))


def lag_over(node, limit):
    lag = node.authban()["sync_lag_ms"]
    return lag if lag > limit else 0


def test_redis_errors_and_the_lag_move():
    with fleet(1) as (redis, (node,)):
        assert node.authban()["sync_lag_ms"] == 0
        redis.kill()
        wait_for(lambda: node.authban()["redis_errors"] > 0, 3, "redis_errors moves")
        node.rpc("authban.ban", "127.15.3.1", 600)
        lag = wait_for(lambda: lag_over(node, 500), 5, "the lag grows")
        redis.start()
        wait_for(lambda: node.authban()["sync_lag_ms"] == 0, 3, "the lag is gone")
        print("\ncounters: sync_lag_ms reached %d and went to 0, redis_errors=%d"
              % (lag, node.authban()["redis_errors"]))


def test_bans_heard_of_count_on_every_proxy():
    with fleet(2) as (_, nodes):
        before = [node.authban() for node in nodes]
        nodes[0].rpc("authban.ban", "127.15.4.1", 600)
        wait_banned(nodes, "127.15.4.1")
        assert all(silent(node, "127.15.4.1") for node in nodes)
        wait_for(lambda: [node.authban()["bans"] - old["bans"] for node, old in zip(nodes, before)] == [1, 1],
                 1, "one ban each")

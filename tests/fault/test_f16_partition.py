# SPDX-License-Identifier: GPL-2.0-or-later
"""F16: of three proxies two lose Redis, and so each other. Each blocks by what it knows; healed, the sum is exact.

AUTHBAN_LONG=1: 20 random partitions instead of 2.
"""
import os
import random
import time

from lib import faults
from lib.far import Far
from lib.fleet import THRESHOLD, banned, known, wait_banned, wait_disconnected
from lib.wait import holds_for, wait_for

ROUNDS = 20 if os.environ.get("AUTHBAN_LONG") else 2
SUMS = {"127.40.1.%d" % (1 + number): counts for number, counts in enumerate([
    (2, 2, 2), (1, 1, 3), (4, 0, 1), (4, 4, 4), (0, 1, 4),  # the threshold and more: banned once healed
    (1, 1, 2), (2, 2, 0), (4, 0, 0), (0, 1, 3), (1, 1, 1)])}  # less: not


def cut_off(far, hosts):
    far.cut(*hosts)
    for number in hosts:
        wait_disconnected(far.nodes[number - 1])


def seen_by(node, source):
    row = known(node, source)
    return row["failures_here"] + row["failures_elsewhere"] if row else 0


def test_f16_two_of_three_are_cut_off():
    with Far(3) as far:
        nodes = far.nodes
        nodes[0].rpc("authban.ban", "127.40.2.9", 600)
        wait_banned(nodes, "127.40.2.9")
        notes = faults.Notes(nodes[:2])
        with faults.Load(nodes) as load:
            cut_off(far, [1, 2])
            for source, counts in SUMS.items():
                for node, count in zip(nodes, counts):
                    if count:
                        faults.fail(node, source, count)
            for number, node in enumerate(nodes):
                faults.assert_local_ban(node, "127.40.2.%d" % (1 + number))
            assert not any(banned(node, source) for node in nodes for source in SUMS), "nobody knows the sum"
            apart = [[banned(node, "127.40.2.%d" % (1 + number)) for number in range(3)] for node in nodes]
            far.heal(1, 2)
            bans = [source for source, counts in SUMS.items() if sum(counts) >= THRESHOLD]
            bans += ["127.40.2.%d" % number for number in (1, 2, 3, 9)]
            took = faults.assert_converges(nodes, bans)
            faults.report("F16 two of three", load, took, faults.lost(nodes, bans), notes)
        assert apart == [[True, False, False], [False, True, False], [False, False, True]]
        check_exact(nodes)


def check_exact(nodes):
    """Nobody is banned below the threshold, and one failure each tells what was missing."""
    below = {source: sum(counts) for source, counts in SUMS.items() if sum(counts) < THRESHOLD}
    holds_for(lambda: not any(banned(node, source) for node in nodes for source in below), 0.3, "no ban below it")
    for number, (source, total) in enumerate(below.items()):
        node = nodes[number % 3]
        faults.fail(node, source, 1)
        if total + 1 >= THRESHOLD:
            wait_banned(nodes, source)
        else:
            wait_for(lambda: seen_by(node, source) == total + 1, 1, "the sum of %s is %d" % (source, total + 1))
            assert not any(banned(other, source) for other in nodes)
    print("F16 sums: sources=%d below=%d banned_below=0, one more failure each: all exact" % (len(SUMS), len(below)))


def test_f16_partitions_at_random():
    """Whoever is cut off, and for however long: in the end one more failure bans a source that has four."""
    chance = random.Random(16)
    worst = 0.0
    with Far(3) as far:
        for turn in range(ROUNDS):
            away = chance.sample([1, 2, 3], chance.randint(1, 3))
            source = "127.41.%d.1" % turn
            cut_off(far, away)
            for _ in range(THRESHOLD - 1):
                faults.fail(chance.choice(far.nodes), source, 1)
            for number, node in enumerate(far.nodes):
                node.rpc("authban.ban", "127.41.%d.%d" % (turn, 10 + number), 600)
            far.heal(*away)
            worst = max(worst, faults.assert_converges(far.nodes, ["127.41.%d.%d" % (turn, 10 + n) for n in range(3)]))
            faults.wait_sent(far.nodes)
            time.sleep(0.1)
            assert not any(banned(node, source) for node in far.nodes)
            faults.fail(chance.choice(far.nodes), source, 1)
            wait_banned(far.nodes, source)
    print("\nF16 at random: partitions=%d agree_after<=%.2fs" % (ROUNDS, worst))

# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings that change while running, and what dry_run does."""
import pytest

from lib.kamailio import Proxy
from lib.sip import Phone
from lib.traffic import RoundRobin, answers, evaluated, silent
from proxies import RpcFault

RANGES = {"threshold": (1, 10000), "window": (1, 86400), "ban_time": (1, 604800), "ban_time_max": (1, 2592000),
          "memory": (0, 2592000), "grace": (1, 86400), "mode": (0, 2)}
OFF, DRY_RUN, BAN = 0, 1, 2


@pytest.fixture(scope="module")
def node():
    with Proxy(node="node-1", defines={"AB_THRESHOLD": 8}) as one:
        yield one


def change(node, name, value):
    node.rpc("cfg.set_now_int", "authban", name, value)


def attack(node, source, count=30):
    with RoundRobin([node], source) as attacker:
        return attacker.send(count, 1000)


@pytest.mark.parametrize("threshold", [3, 12, 1, 8])
def test_threshold_takes_effect_in_the_workers(node, threshold):
    change(node, "threshold", threshold)
    got = attack(node, "127.14.1.%d" % threshold)
    print("\nsettings threshold=%d: evaluated=%d" % (threshold, got))
    assert got == threshold
    assert node.rpc("authban.status")["threshold"] == threshold


def test_by_kamcmd(node):
    status, text = node.kamcmd("cfg.set_now_int", "authban", "threshold", 4)
    assert status == 0 and "error" not in text
    assert attack(node, "127.14.2.1") == 4
    assert "4" in node.kamcmd("cfg.get", "authban", "threshold")[1]
    change(node, "threshold", 8)


def test_ban_time_takes_effect(node):
    change(node, "ban_time", 100)
    try:
        assert attack(node, "127.14.2.2") == 8
        assert 90 <= node.rpc("authban.get", "127.14.2.2")["ttl"] <= 100
    finally:
        change(node, "ban_time", 600)


@pytest.mark.parametrize("name", RANGES)
def test_out_of_range_is_refused(node, name):
    before = node.rpc("cfg.get", "authban", name)
    for value in (RANGES[name][0] - 1, RANGES[name][1] + 1, -2147483648, 2147483647):
        with pytest.raises(RpcFault):
            change(node, name, value)
    assert node.rpc("cfg.get", "authban", name) == before


@pytest.mark.parametrize("name", RANGES)
def test_both_ends_are_allowed(node, name):
    before = int(node.rpc("cfg.get", "authban", name)[name] if isinstance(node.rpc("cfg.get", "authban", name), dict)
                 else node.rpc("cfg.get", "authban", name))
    try:
        for value in RANGES[name]:
            change(node, name, value)
            assert str(value) in str(node.rpc("cfg.get", "authban", name))
    finally:
        change(node, name, before)


def test_dry_run_blocks_nobody_and_counts():
    with Proxy(node="node-1", defines={"AB_THRESHOLD": 5}) as node:
        assert attack(node, "127.14.3.1") == 5 and silent(node, "127.14.3.1")
        change(node, "mode", DRY_RUN)
        assert answers(node, "127.14.3.1"), "an old ban blocks no more"
        blocked, before = node.authban()["blocked"], evaluated([node])
        would = node.authban()["would_block"]
        with RoundRobin([node], "127.14.3.2") as attacker:
            for number in range(20):
                header = attacker.guessers[0].answer_header(attacker.challenges[0], "wrong-%d" % number)
                assert attacker.guessers[0].send([header]).status == 401
        counts = node.authban()
        row = node.rpc("authban.get", "127.14.3.2")
        assert (row["state"], node.rpc("authban.status")["mode"]) == ("dry_run", "dry_run")
        assert counts["blocked"] == blocked and evaluated([node]) - before == 20
        assert counts["would_block"] - would >= 15
        assert len(node.log_lines("ip=127.14.3.2 event=dry_run")) == 1
        change(node, "mode", BAN)
        assert silent(node, "127.14.3.1"), "the ban of before is still there"
        got = attack(node, "127.14.3.3")
        print("\nsettings dry_run: answered=20/20 would_block=%d, and back: evaluated=%d"
              % (counts["would_block"] - would, got))
        assert got == 5 and silent(node, "127.14.3.3")


def test_dry_run_still_serves_and_a_dry_ban_becomes_real_on_the_next_failure():
    with Proxy(node="node-1", defines={"AB_THRESHOLD": 5, "AB_MODE": "dry_run"}) as node:
        attack_dry(node, "127.14.4.1", 10)
        change(node, "mode", BAN)
        assert answers(node, "127.14.4.1"), "nobody is banned for what happened in dry_run alone"
        attack_dry(node, "127.14.4.1", 1, first=10)
        assert silent(node, "127.14.4.1")


def attack_dry(node, source, count, first=0):
    """Guesses that all get an answer, whatever it is."""
    with RoundRobin([node], source) as attacker:
        for number in range(first, first + count):
            header = attacker.guessers[0].answer_header(attacker.challenges[0], "%s-%d" % (source, number))
            attacker.guessers[0].send([header])


def test_off_looks_at_nothing():
    with Proxy(node="node-1", defines={"AB_THRESHOLD": 5}) as node:
        node.rpc("authban.ban", "127.14.5.1", 600)
        change(node, "mode", OFF)
        assert answers(node, "127.14.5.1")
        before = node.authban()["failures"]
        attack_dry(node, "127.14.5.2", 10)
        counts = node.authban()
        assert counts["failures"] == before and counts["blocked"] == 0 and evaluated([node]) == 10
        with Phone("bob", "bob-secret", node.target, source="127.14.5.3") as phone:
            assert phone.register().status == 200
        change(node, "mode", BAN)
        assert silent(node, "127.14.5.1")

# SPDX-License-Identifier: GPL-2.0-or-later
"""T1: the real svcrack against one proxy, for both kinds of challenge.

The attack is the one of test_peer_controls.py, where it beats the usual configurations.
"""
import concurrent.futures
import contextlib
import re
import time

import pytest

from lib.lan import address_of
from lib.netns import Net
from lib.kamailio import Proxy
from lib.sip import Guesser
from lib.svcrack import run_svcrack
from lib.wait import holds_for

PROXY = "10.79.0.1"
THRESHOLD, RUNS, SILENT_SECONDS = 5, 5, 30
PORTS = {"no-qop": 5060, "qop": 5061}


def attacker(number):
    return "attacker%d" % number


def address(number):
    return "10.79.0.%d" % (10 + number)


@pytest.fixture(scope="module")
def net():
    hosts = {attacker(n): [address(n) + "/24"] for n in range(RUNS)}
    with Net(dict(hosts, proxy=[PROXY + "/24"])) as made:
        yield made


@pytest.fixture(scope="module")
def proxies_of_both_kinds(net):
    """{kind: proxy}; svcrack comes from five hosts, so that each run begins unknown."""
    with contextlib.ExitStack() as stack:
        yield {kind: stack.enter_context(Proxy(host=PROXY, port=port, netns=net["proxy"], defines={
            "AB_THRESHOLD": THRESHOLD, "WITH_QOP": kind == "qop"})) for kind, port in PORTS.items()}


@pytest.fixture(scope="module")
def later_guesses(net, proxies_of_both_kinds):
    """[(kind, guesser with a challenge from before the attack)]: packets that would be evaluated at once."""
    made = [(kind, Guesser("alice", proxy.target, source=address(n), netns=net[attacker(n)], timeout=2))
            for kind, proxy in proxies_of_both_kinds.items() for n in range(RUNS)]
    try:
        yield [(kind, guesser, guesser.challenge()) for kind, guesser in made]
    finally:
        for _, guesser in made:
            guesser.close()


def one_run(net, proxy, number):
    """(evaluated, sent) of one svcrack from one host."""
    before = proxy.evaluated()
    crack = run_svcrack(proxy.target, "alice", netns=net[attacker(number)], deadline=15)
    assert crack.sent, crack.output[-500:]
    return proxy.evaluated() - before, crack.sent


def all_runs(net, kind, proxy):
    """Five runs, one after the other: evaluated guesses never pass the threshold."""
    runs = [one_run(net, proxy, number) for number in range(RUNS)]
    print("\nT1 svcrack udp %s: evaluated=%s sent=%s banned=%d" % (
        kind, ",".join(str(e) for e, _ in runs), ",".join(str(s) for _, s in runs), len(proxy.bans())))
    return runs


@pytest.fixture(scope="module")
def attacked(net, proxies_of_both_kinds, later_guesses):
    """{kind: [(evaluated, sent), ...]}; the two kinds at the same time."""
    with concurrent.futures.ThreadPoolExecutor(len(PORTS)) as pool:
        jobs = {kind: pool.submit(all_runs, net, kind, proxy)
                for kind, proxy in proxies_of_both_kinds.items()}
        return {kind: job.result() for kind, job in jobs.items()}


@pytest.mark.parametrize("kind", PORTS)
def test_svcrack_gets_no_more_than_the_threshold(attacked, kind):
    for evaluated, sent in attacked[kind]:
        assert 0 < evaluated <= THRESHOLD
        assert sent >= evaluated


@pytest.mark.parametrize("kind", PORTS)
def test_each_ban_is_listed_with_its_evidence(attacked, proxies_of_both_kinds, kind):
    bans = proxies_of_both_kinds[kind].bans()
    assert sorted(bans) == sorted(address(n) for n in range(RUNS))
    for row in bans.values():
        assert row["reason"] == "threshold"
        assert row["failures"] >= THRESHOLD
        assert row["users"] == 1
        assert row["proof"] == "token"
        assert 0 < row["ttl"] <= 600


@pytest.mark.parametrize("kind", PORTS)
def test_each_ban_is_one_line_of_the_log(attacked, proxies_of_both_kinds, kind):
    lines = proxies_of_both_kinds[kind].log_lines(r"event=ban\b")
    named = [re.search(r"\bip=(\S+)", line).group(1) for line in lines]
    assert sorted(named) == sorted(address(n) for n in range(RUNS))
    assert all("NOTICE" in line for line in lines)


def attack_on(guesses):
    """One more packet of every attacker: by turns a first request and a guess with a valid challenge."""
    for _, guesser, challenge in guesses:
        headers = []
        if guesser.guesses % 2:
            headers.append(guesser.answer_header(challenge, "wrong-%d" % guesser.guesses))
        guesser.guesses += 1
        guesser.link.send(guesser.build(headers))


def nobody_answers(guesses):
    """No datagram has come back to any attacker."""
    return all(guesser.link.receive(time.monotonic() + 0.001) is None for _, guesser, _ in guesses)


def test_nothing_is_evaluated_while_the_attack_goes_on(attacked, proxies_of_both_kinds, later_guesses):
    proxies = proxies_of_both_kinds.values()
    assert all(challenge for _, _, challenge in later_guesses)
    before = [(proxy.evaluated(), proxy.authban()["blocked"]) for proxy in proxies]

    def still_shut():
        attack_on(later_guesses)
        return nobody_answers(later_guesses) and [p.evaluated() for p in proxies] == [b[0] for b in before]

    holds_for(still_shut, SILENT_SECONDS, "no guess is evaluated, nobody is answered", pause=0.05)
    sent = sum(guesser.guesses for _, guesser, _ in later_guesses)
    blocked = sum(proxy.authban()["blocked"] - b[1] for proxy, b in zip(proxies, before))
    print("\nT1 after the bans: seconds=%d sent=%d blocked=%d evaluated=0" % (SILENT_SECONDS, sent, blocked))
    assert sent >= 5 * SILENT_SECONDS * len(later_guesses), "the attack was too weak to tell"
    assert blocked >= 0.9 * sent


@pytest.mark.parametrize("kind", PORTS)
@pytest.mark.parametrize("speech", ["real", "svcrack"])
def test_banned_by_the_very_packet(lan, kind, speech):
    """The answer to the fifth wrong guess does not come, nor does anything after it."""
    proxy = lan.proxy(AB_THRESHOLD=THRESHOLD, WITH_QOP=kind == "qop")
    guesser = lan.guesser(proxy, kind=speech)
    statuses = [guesser.guess("wrong-%d" % n) for n in range(THRESHOLD)]
    evaluated = proxy.evaluated()
    assert statuses == [401] * (THRESHOLD - 1) + [0]
    assert guesser.challenge() is None
    assert proxy.evaluated() == evaluated == THRESHOLD
    assert list(proxy.bans()) == [address_of(guesser)]
    print("\nT1 same packet %s %s: evaluated=%d statuses=%s" % (kind, speech, evaluated, statuses))

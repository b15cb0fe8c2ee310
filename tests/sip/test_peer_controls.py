# SPDX-License-Identifier: GPL-2.0-or-later
"""Negative controls: the attacks of T1 and T9 succeed against the usual configurations.

If one of these fails, the attack of our own tests has lost its teeth, and their success means nothing.
"""
import time

import pytest

from lib import peers
from lib.netns import Net
from lib.rawudp import Forger
from lib.sip import Guesser, Phone
from lib.svcrack import run_svcrack
from lib.wait import wait_for

PROXY, ATTACKER, VICTIM = "10.77.0.1", "10.77.0.66", "10.77.0.2"
GUESSES = 300
FORGED = 40


@pytest.fixture(scope="module")
def net():
    hosts = {"proxy": [PROXY + "/24"], "attacker": [ATTACKER + "/24"], "victim": [VICTIM + "/24"]}
    with Net(hosts) as made:
        yield made


def peer(net, name, **defines):
    """The peer's registrar in the proxy's namespace."""
    return peers.peer(net, name, PROXY, **defines)


def banned_by_htable(proxy, table, address):
    """True when the table blocks the address (5 or more in authfail, any entry in ipban)."""
    return address in peers.banned(proxy, table)


def figure(threat, name, evaluated, banned, **more):
    peers.figure(threat, name, evaluated=evaluated, banned=int(banned), **more)


def test_htable_never_sees_svcrack_without_qop(net):
    with peer(net, "htable") as proxy:
        crack = run_svcrack(proxy.target, "alice", range(1000, 1000 + GUESSES), netns=net["attacker"])
        evaluated = proxy.evaluated()
        banned = banned_by_htable(proxy, "authfail", ATTACKER)
        figure("T1", "htable", evaluated, banned, sent=crack.sent)
    assert evaluated >= 100, crack.output[-500:]
    assert not banned


def test_htable_bans_a_guesser_that_speaks_properly(net):
    """The peer's idiom does work where it can: without this the first control shows a broken peer."""
    with peer(net, "htable", WITH_QOP=True) as proxy:
        crack = run_svcrack(proxy.target, "alice", range(1000, 1100), netns=net["attacker"])
        evaluated = proxy.evaluated()
        banned = banned_by_htable(proxy, "authfail", ATTACKER)
        figure("T1", "htable with qop", evaluated, banned, sent=crack.sent)
    assert evaluated == 5
    assert banned


def test_pike_lets_many_guesses_through(net):
    with peer(net, "pike") as proxy:
        crack = run_svcrack(proxy.target, "alice", range(1000, 1000 + GUESSES), netns=net["attacker"])
        evaluated = proxy.evaluated()
        banned = banned_by_htable(proxy, "ipban", ATTACKER)
        figure("T1", "pike", evaluated, banned, sent=crack.sent)
    assert evaluated > 8, "pike did better than authban's threshold"
    assert banned


def test_pike_never_sees_a_patient_guesser(net):
    """Below pike's density (16 requests in 2 s) guessing goes on for ever."""
    with peer(net, "pike") as proxy, \
            Guesser("alice", proxy.target, source=ATTACKER, netns=net["attacker"]) as guesser:
        for number in range(20):
            assert guesser.guess("wrong-%d" % number) == 401
            pause_of_a_patient_attacker(guesser)
        evaluated = proxy.evaluated()
        banned = banned_by_htable(proxy, "ipban", ATTACKER)
        figure("T1", "pike and a patient guesser", evaluated, banned)
    assert evaluated == 20
    assert not banned


def pause_of_a_patient_attacker(guesser):
    """The attacker's own pace is part of the attack: it listens for 0.3 s to nobody."""
    assert guesser.link.receive(time.monotonic() + 0.3) is None


def forged_guesses(guesser, challenge, count):
    """Wrong answers to the attacker's own challenge, for sending with the victim's address."""
    return [guesser.build([guesser.answer_header(challenge, "wrong-%d" % n)]) for n in range(count)]


def frame_the_victim(net, name, table, **defines):
    """T9: the attacker fetches a nonce at its own address and uses it under the victim's."""
    with peer(net, name, **defines) as proxy, \
            Phone("bob", "bob-secret", proxy.target, source=VICTIM, netns=net["victim"], timeout=1.2) as phone, \
            Guesser("alice", proxy.target, source=ATTACKER, netns=net["attacker"]) as attacker, \
            Forger(net["attacker"]) as forger:
        assert phone.register().status == 200
        packets = forged_guesses(attacker, attacker.challenge(), FORGED)
        sent = forger.send((VICTIM, 5099), proxy.target, packets, rate=200)
        wait_for(lambda: banned_by_htable(proxy, table, VICTIM), 3, "the victim is banned by the peer")
        after = phone.register().status
        figure("T9", name + (" with qop" if defines else ""), proxy.evaluated(), 1, forged=sent, victim_status=after,
               attacker_banned=int(banned_by_htable(proxy, table, ATTACKER)))
    return after


def test_htable_bans_the_victim_of_forged_packets(net):
    assert frame_the_victim(net, "htable", "authfail", WITH_QOP=True) == 0


def test_htable_without_qop_bans_the_victim_too(net):
    assert frame_the_victim(net, "htable", "authfail") == 0


def test_pike_bans_the_victim_of_forged_packets(net):
    assert frame_the_victim(net, "pike", "ipban") == 0

# SPDX-License-Identifier: GPL-2.0-or-later
"""Negative controls: T3, T6, T7, T12, T13 and T17 against the usual configurations.

If one of these fails, the attack of our own tests has lost its teeth, and their success means nothing.
"""
import pytest

from lib import attacks, peers
from lib.crowd import wait_reachable
from lib.netns import Net
from lib.sip import Guesser

PROXY, ATTACKER, NETWORK = "10.81.0.1", "10.81.0.66", "10.82.0.0/16"
PROXY6, ATTACKER6, NETWORK6 = "2001:db8:81::1", "2001:db8:81::66", "2001:db8:82::/64"
THRESHOLD = 5  # of htable.cfg
KINDS = [("htable", "authfail", {"WITH_QOP": True}), ("pike", "ipban", {})]


@pytest.fixture(scope="module")
def net():
    hosts = {"proxy": [PROXY + "/24", PROXY6 + "/64"], "attacker": [ATTACKER + "/24", ATTACKER6 + "/64"]}
    with Net(hosts) as made:
        made.any_ip("attacker", NETWORK, via=ATTACKER)
        made.any_ip("attacker", NETWORK6, via=ATTACKER6)
        yield made


@pytest.mark.parametrize("name,table,defines", KINDS)
def test_many_sources_of_one_network(net, name, table, defines):
    """T3: 130 addresses of a /24, four guesses each: one less than what bans."""
    sources = ["10.82.1.%d" % n for n in range(1, 131)]
    with peers.peer(net, name, PROXY, **defines) as proxy:
        done = attacks.guesses_from_many(proxy.target, net["attacker"], sources, ["alice"], each=THRESHOLD - 1)
        evaluated, banned = proxy.evaluated(), peers.banned(proxy, table)
        peers.figure("T3", name, evaluated=evaluated, sent=done["sent"], sources=len(sources), banned=len(banned))
    assert evaluated == done["answered"] == len(sources) * (THRESHOLD - 1)
    assert not banned


@pytest.mark.parametrize("name,table,defines", KINDS)
def test_rotation_inside_a_64(net, name, table, defines):
    """T6: a new address of the attacker's own /64 for every guess."""
    sources = ["2001:db8:82::%x" % n for n in range(1, 1001)]
    with peers.peer(net, name, PROXY6, **defines) as proxy:
        wait_reachable(proxy.target, net["attacker"], ATTACKER6)
        done = attacks.guesses_from_many(proxy.target, net["attacker"], sources, ["alice"], rate=2000)
        evaluated, banned = proxy.evaluated(), peers.banned(proxy, table)
        entries = len(peers.table(proxy, table))
        peers.figure("T6", name, evaluated=evaluated, sent=done["sent"], banned=len(banned), entries=entries)
    assert evaluated == done["answered"] == len(sources)
    assert not banned


@pytest.mark.parametrize("qop", [False, True])
def test_guesses_in_every_method(net, qop):
    """T7: htable counts where the script asks it; svcrack's speech decides, not the method."""
    methods = ["REGISTER", "INVITE", "SUBSCRIBE", "PUBLISH", "MESSAGE", "BYE"]
    with peers.peer(net, "htable", PROXY, WITH_QOP=qop) as proxy:
        for number, method in enumerate(methods, 1):
            with Guesser("alice", proxy.target, source="10.82.2.%d" % number, netns=net["attacker"], kind="svcrack",
                         method=method, to_tag="abc" if method == "BYE" else None, timeout=0.5) as guesser:
                guesser.guess_until_silent(THRESHOLD + 3)
        banned = peers.banned(proxy, "authfail")
        peers.figure("T7", "htable" + (" with qop" if qop else ""), banned=len(banned), methods=len(methods),
                     evaluated=proxy.evaluated())
    assert len(banned) == (len(methods) if qop else 0)


def test_an_own_account_resets_htable(net):
    """T12: one valid login every fourth guess, and nobody is ever banned."""
    with peers.peer(net, "htable", PROXY, WITH_QOP=True) as proxy:
        done = attacks.own_account(proxy.target, net["attacker"], ATTACKER, ("carol", "carol-secret"), guesses=40)
        banned = peers.banned(proxy, "authfail")
        peers.figure("T12", "htable", guesses=done["guesses"], logins=done["logins"], banned=len(banned))
    assert done["silent_at"] is None and done["logins"] == 10
    assert not banned


@pytest.mark.parametrize("method", ["PRACK", "ACK", "CANCEL"])
def test_a_free_request_resets_htable(net, method):
    """T13: auth_check says 1 to a PRACK without credentials; ACK and CANCEL never get as far in this script."""
    with peers.peer(net, "htable", PROXY, WITH_QOP=True) as proxy:
        done = attacks.free_requests(proxy.target, net["attacker"], ATTACKER, method, between=1, guesses=20)
        banned = peers.banned(proxy, "authfail")
        peers.figure("T13", "htable and " + method, guesses=done["guesses"], free=done["free"], banned=len(banned))
    if method == "PRACK":
        assert done["silent_at"] is None and not banned
    else:
        assert done["silent_at"] == THRESHOLD + 1 and banned == [ATTACKER]


@pytest.mark.parametrize("name,table,defines", KINDS)
def test_phones_with_old_passwords(net, name, table, defines):
    """T17: each is an entry of its own in htable's memory, which grows with them; pike sees nothing."""
    sources = ["10.82.%d.%d" % (3 + n // 250, 1 + n % 250) for n in range(500)]
    with peers.peer(net, name, PROXY, **defines) as proxy:
        done = attacks.old_passwords(proxy.target, net["attacker"], sources, tries=7, rate=2000)
        entries, banned = len(peers.table(proxy, table)), peers.banned(proxy, table)
        peers.figure("T17", name, phones=len(sources), tries=7, evaluated=proxy.evaluated(),
                     answered=done["answered"], banned=len(banned), entries=entries)
    if name == "htable":
        assert entries == len(banned) == len(sources)
    else:
        assert done["answered"] == 7 * len(sources) and not banned

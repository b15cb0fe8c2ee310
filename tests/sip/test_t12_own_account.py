# SPDX-License-Identifier: GPL-2.0-or-later
"""T12: valid logins of the attacker's own account between his guesses take nothing back.

htable forgives all at each of them: test_an_own_account_resets_htable in test_peer_controls_sources.py.
"""
import pytest

from lib import attacks
from lib.crowd import Crowd
from lib.kamailio import Proxy
from lib.lan import Lan
from lib.office import LIMITS, figure, tries, users
from lib.sip import Guesser, Phone

OWN = ("carol", "carol-secret")
THRESHOLD = LIMITS["AB_THRESHOLD"]


@pytest.fixture(scope="module")
def lan():
    with Lan() as made:
        yield made


@pytest.fixture
def proxy(lan):
    with Proxy(host=lan.proxy(start=False).host, netns=lan.net["proxy"], defines=LIMITS,
               users=[OWN, ("alice", "alice-secret")], port=next(lan.ports)) as made:
        yield made


def guess(lan, proxy, login_before, guesses=12):
    """Guesses at alice, a login of the own account before each of `login_before`: evaluated until silence."""
    source, before, logins = lan.attacker_address(), proxy.evaluated(), 0
    with Guesser("alice", proxy.target, source=source, netns=lan.net["attacker"], timeout=0.25) as guesser, \
            Phone(*OWN, proxy.target, source=source, netns=lan.net["attacker"], timeout=0.25) as phone:
        for number in range(1, guesses + 1):
            if number in login_before:
                logins += phone.register().status == 200
            guesser.guess(attacks.new_password())
        return proxy.evaluated() - before - phone.credentials_sent, logins


@pytest.fixture(scope="module")
def alone(lan):
    """At which guess a source without an account is banned."""
    with Proxy(host=lan.proxy(start=False).host, netns=lan.net["proxy"], defines=LIMITS, port=next(lan.ports)) as made:
        return guess(lan, made, ())[0]


@pytest.mark.parametrize("before", [
    pytest.param(range(1, 13, 4), id="first and every 4th"), pytest.param(range(1, 13), id="every"),
    pytest.param(range(3, 13, 3), id="every 3rd"),
    pytest.param(range(4, 13, 4), id="every 4th"),
    pytest.param(range(5, 13, 5), id="every 5th")])
def test_logins_between_guesses_change_nothing(lan, proxy, alone, before):
    evaluated, logins = guess(lan, proxy, before)
    pairs = proxy.authban()["pair_bans"]
    figure("T12", login_before=",".join(map(str, list(before)[:3])) + "..", logins=logins, evaluated=evaluated,
           without_account=alone, pair_bans=pairs)
    assert alone == THRESHOLD
    assert logins == len(before), "his own account goes on"
    assert evaluated <= 2 * THRESHOLD - 1 and pairs == 1
    assert evaluated == alone


@pytest.mark.parametrize("each", [1, 4])
def test_a_spray_with_an_own_account(lan, proxy, each):
    """Many users, each guessed less often than what bans a pair: max_users ends it."""
    source, victims = lan.attacker_address(), [name for name, _ in users(60, "victim")]
    with Crowd(proxy.target, lan.net["attacker"]) as crowd:
        own = crowd.member(source, *OWN)
        assert attacks.register_all(crowd, [own]) == [200]
        before = proxy.evaluated()
        for begin in range(0, len(victims), 4):
            some = [crowd.member(source, name) for name in victims[begin:begin + 4]]
            for _ in range(each):
                tries(crowd, some, "new", quiet=0.1)
        evaluated = proxy.evaluated() - before
        after = attacks.register_all(crowd, [own])
        figure("T12 spray", users=len(victims), guesses_each=each, tried=each * len(victims), evaluated=evaluated,
               own_account_status=after[0])
    assert evaluated <= 12 * each, "users are estimated: 6 to 12 of 60"

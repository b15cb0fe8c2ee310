# SPDX-License-Identifier: GPL-2.0-or-later
"""T3: many sources of one network, each below the threshold; and 250 phones of the same /24.

The peers evaluate all 520 guesses: test_many_sources_of_one_network in test_peer_controls_sources.py.
"""
import pytest

from lib import attacks
from lib.clock import Clock
from lib.crowd import Crowd, wait_reachable
from lib.kamailio import Proxy
from lib.netns import Net
from lib.office import LIMITS, Office, figure, tries, users

PROXY, HOST, NETWORK = "10.84.0.1", "10.84.0.66", "10.85.1.0/24"
OTHERS = "10.86.0.0/16"
PROXY6, HOST6, NETWORK6 = "2001:db8:84::1", "2001:db8:84::66", "2001:db8:85::/48"
ATTACKERS = ["10.85.1.%d" % n for n in [*range(1, 254, 2), 250, 252, 254]]
PHONES = ["10.85.1.%d" % n for n in range(2, 250, 2)]  # each beside an attacker
GOOD = users(250)
MANY = ["user-%d" % n for n in range(520)]
TRIES, EVALUATED, PACE = 4, 60, 60


@pytest.fixture(scope="module")
def net():
    hosts = {"proxy": [PROXY + "/24", PROXY6 + "/64"], "town": [HOST + "/24", HOST6 + "/64"]}
    with Net(hosts) as made:
        made.any_ip("town", NETWORK, via=HOST)
        made.any_ip("town", OTHERS, via=HOST)
        made.any_ip("town", NETWORK6, via=HOST6)
        yield made


def proxy_at(net, host, clock=None):
    return Proxy(host=host, netns=net["proxy"], users=GOOD, defines=LIMITS, **(clock.settings if clock else {}))


def attack(net, proxy, sources, victims):
    return attacks.guesses_from_many(proxy.target, net["town"], sources, victims, each=TRIES, rate=1000)


@pytest.mark.parametrize("victims", [["alice"], MANY], ids=["one user", "many users"])
def test_a_network_full_of_guessers_and_phones(net, victims):
    phones = [(PHONES[number % len(PHONES)], *user) for number, user in enumerate(GOOD)]
    with proxy_at(net, PROXY) as proxy, Office(proxy.target, net["town"], phones) as office:
        done = attack(net, proxy, ATTACKERS, victims)
        office.ended.set()
        office.thread.join(60)
        evaluated, now = proxy.evaluated() - office.credentials, proxy.authban()
        figure("T3", sources=len(ATTACKERS), victims=len(victims), tried=done["sent"], evaluated=evaluated,
               campaigns=now["campaigns"], bans=now["bans"], **office.figures())
    assert len(ATTACKERS) == 130 and done["sent"] >= len(ATTACKERS), "the attack went on"
    assert 0 < evaluated <= EVALUATED
    assert evaluated == now["failures"]
    assert office.requests >= 3 * len(phones) and office.served == office.requests


def test_control_without_a_common_network(net):
    """The figure above comes from the network: the same guesses from 130 networks are all evaluated."""
    sources = ["10.86.%d.7" % n for n in range(1, 131)]
    with proxy_at(net, PROXY) as proxy:
        done = attack(net, proxy, sources, MANY)
        figure("T3 many networks", tried=done["sent"], evaluated=proxy.evaluated())
        assert proxy.evaluated() == done["sent"] == len(sources) * TRIES


def test_a_48_of_ipv6(net):
    """A /64 for each source, all of one /48."""
    sources = ["2001:db8:85:%x::1" % n for n in range(1, 131)]
    with proxy_at(net, PROXY6) as proxy:
        wait_reachable(proxy.target, net["town"], HOST6)
        done = attack(net, proxy, sources, MANY)
        figure("T3 /48", sources=len(sources), tried=done["sent"], evaluated=proxy.evaluated())
        assert 0 < proxy.evaluated() <= EVALUATED


@pytest.mark.parametrize("rival", [pytest.param(False, id="alone"), pytest.param(True, id="forger")])
def test_a_new_phone_in_a_restricted_network(net, rival):
    """It gets in within `pace`; the forger sends credentials that prove nothing: any address of the network does."""
    waited = 0
    with Clock() as clock, proxy_at(net, PROXY, clock) as proxy, \
            Crowd(proxy.target, net["town"]) as crowd:
        attack(net, proxy, ATTACKERS[:30], MANY)
        assert proxy.log_lines("reason=campaign")
        phone, forger = crowd.member(PHONES[0], *GOOD[0]), crowd.member(PHONES[1], "eve")
        while waited < 4 * PACE:
            if rival:
                forger.challenge = {"realm": "sip.test", "nonce": "a", "opaque": "b", "header": "Authorization"}
                crowd.ask([forger], quiet=0.1)
            if tries(crowd, [phone], quiet=0.1) == [200]:
                break
            clock.advance(PACE / 4)
            waited += PACE / 4
        figure("T3 newcomer", forger=rival, waited="%ds" % waited)
    assert waited <= PACE

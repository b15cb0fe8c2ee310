# SPDX-License-Identifier: GPL-2.0-or-later
"""T6: a new IPv6 address for every guess, all inside one /64: one source, banned at guess `threshold`.

The peers evaluate every one of them: test_peer_controls_sources.py.
"""
import os
import random

import pytest

from lib import attacks
from lib.crowd import wait_reachable
from lib.kamailio import Proxy
from lib.netns import Net

pytestmark = pytest.mark.alone  # a flood, of which no packet may be lost
PROXY, ATTACKER, NETWORK = "2001:db8:61::1", "2001:db8:61::66", "2001:db8:62::/56"
MINE, OTHER = "2001:db8:62:1:%x:%x:%x:%x", "2001:db8:62:2::%x"
THRESHOLD = 5
ADDRESSES = 20_000 if os.environ.get("AUTHBAN_LONG") else 2_000


@pytest.fixture(scope="module")
def net():
    with Net({"proxy": [PROXY + "/64"], "attacker": [ATTACKER + "/64"]}) as made:
        made.any_ip("attacker", NETWORK, via=ATTACKER)
        yield made


def proxy_at(net, **more):
    """One worker, so that guesses are judged one after the other and the figure is exact."""
    return Proxy(host=PROXY, netns=net["proxy"], children=1, defines={"AB_THRESHOLD": THRESHOLD}, **more)


def random_addresses(count):
    choose = random.Random(6)
    return [MINE % tuple(choose.randint(0, 0xffff) for _ in range(4)) for _ in range(count)]


def attack(net, proxy, sources):
    wait_reachable(proxy.target, net["attacker"], sources[0])
    done = attacks.guesses_from_many(proxy.target, net["attacker"], sources, ["alice"], rate=2000)
    return dict(done, evaluated=proxy.evaluated(), entries=proxy.rpc("authban.status")["sources"], bans=len(proxy.bans()))


def test_a_64_is_one_source(net):
    with proxy_at(net) as proxy:
        done = attack(net, proxy, random_addresses(ADDRESSES))
        bans, never_used = proxy.bans(), proxy.rpc("authban.get", MINE % (1, 2, 3, 4))
        lines = proxy.log_lines("event=ban")
        print("\nT6 one /64: %s" % " ".join("%s=%s" % pair for pair in done.items()))
        neighbour = attacks.guesses_from_many(proxy.target, net["attacker"], [OTHER % 1], ["alice"])
    assert done["sent"] == ADDRESSES, "every address had a challenge before"
    assert done["evaluated"] == THRESHOLD and done["answered"] == THRESHOLD - 1
    assert done["entries"] == 1 and list(bans) == ["2001:db8:62:1::/64"]
    assert bans["2001:db8:62:1::/64"]["failures"] == THRESHOLD
    assert never_used["state"] == "banned"
    assert len(lines) == 1
    assert neighbour["answered"] == 1, "the /64 beside it is somebody else's"


def test_control_other_64s_are_other_sources(net):
    """The figure above comes from the /64: by single addresses each is evaluated, until their /48 is restricted."""
    sources = random_addresses(200)
    with proxy_at(net, extra='modparam("authban", "ipv6_prefix", 128)\n') as proxy:
        done = attack(net, proxy, sources)
        print("\nT6 with ipv6_prefix=128: %s" % " ".join("%s=%s" % pair for pair in done.items()))
    assert done["evaluated"] == done["entries"] > 8 * THRESHOLD and done["bans"] == 0

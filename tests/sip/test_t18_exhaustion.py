# SPDX-License-Identifier: GPL-2.0-or-later
"""T18: more failing sources than the table has room for: shared memory does not grow, everything goes on.

The core of it, with ten million sources: tests/unit/test_t18_exhaustion.c.
"""
import os

import pytest

from lib import attacks, peers
from lib.kamailio import Proxy
from lib.netns import Net
from lib.sip import Guesser, Phone

pytestmark = pytest.mark.alone  # a flood, of which no packet may be lost
PROXY, ATTACKER, NETWORK, HONEST = "10.92.0.1", "10.92.0.66", "10.128.0.0/9", "10.92.0.2"
SLOTS, THRESHOLD = 1_024, 5
SOURCES = 50_000 if os.environ.get("AUTHBAN_LONG") else 5_000
BANNED = ["198.51.100.%d" % n for n in range(1, 101)]


@pytest.fixture(scope="module")
def net():
    with Net({"proxy": [PROXY + "/24"], "attacker": [ATTACKER + "/24"], "phone": [HONEST + "/24"]}) as made:
        made.any_ip("attacker", NETWORK, via=ATTACKER)
        yield made


def shm_used(proxy):
    return int(proxy.rpc("core.shmmem")["real_used"])


def growth(net, proxy):
    """Bytes of shared memory that the sources took, once each path was taken before."""
    def failing(first, count):
        # few of each network, and each for a user of his own: nothing comes under watch
        sources = ["10.%d.%d.%d" % (128 + n % 100, n // 100 % 250, 1 + n // 25_000) for n in range(first, first + count)]
        users = ["user-%d" % n for n in range(first, first + count)]
        return attacks.guesses_from_many(proxy.target, net["attacker"], sources, users, rate=2000)

    failing(0, 100)
    before = shm_used(proxy)
    done = failing(100, SOURCES)
    return shm_used(proxy) - before, done["answered"]


def test_memory_stays_and_all_goes_on(net):
    with Proxy(host=PROXY, netns=net["proxy"], defines={"AB_THRESHOLD": THRESHOLD},
               extra='modparam("authban", "size", %d)\n' % SLOTS) as proxy:
        for source in BANNED:
            proxy.rpc("authban.ban", source, 3600)
        grown, answered = growth(net, proxy)
        now = proxy.authban()
        kept = sum(proxy.rpc("authban.get", source)["state"] == "banned" for source in BANNED)
        with Phone("bob", "bob-secret", proxy.target, source=HONEST, netns=net["phone"]) as phone, \
                Guesser("alice", proxy.target, source=ATTACKER, netns=net["attacker"], timeout=1.0) as guesser:
            served, silent_at = phone.register().status, 1 + guesser.guess_until_silent(20)
    print("\nT18 sources=%d slots=%d shm_grown=%d entries=%d evictions=%d bans_kept=%d/%d phone=%d offender_at=%d" % (
        answered, SLOTS, grown, now["entries"], now["evictions"], kept, len(BANNED), served, silent_at))
    assert answered == SOURCES
    assert grown == 0
    assert kept == len(BANNED) and now["entries"] <= SLOTS < now["evictions"]
    assert served == 200 and silent_at == THRESHOLD


def test_control_htable_grows_with_them(net):
    with peers.peer(net, "htable", PROXY, WITH_QOP=True) as proxy:
        grown, answered = growth(net, proxy)
        peers.figure("T18", "htable", sources=answered, shm_grown=grown, of_each=grown // answered)
    assert grown >= 100 * answered

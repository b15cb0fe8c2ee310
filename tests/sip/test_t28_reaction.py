# SPDX-License-Identifier: GPL-2.0-or-later
"""T28: the first packet after the failure that bans is blocked: the reaction takes 0 packets.

A reader of the log (fail2ban's way) is told afterwards, and bans later still.
"""
import pytest

from lib import attacks, peers
from lib.follower import Follower
from lib.kamailio import Proxy
from lib.netns import Net
from lib.wait import wait_for

HERE, ATTACKERS = "10.85.0.1", ["10.85.0.%d" % n for n in range(10, 60)]
THRESHOLD, GUESSES = 5, 300
# In one network and at one user, over both transports: few enough that no estimate takes them for the
# 50 sources of a campaign, where two failures are enough.
ATTACKERS_EACH = 12
pytestmark = pytest.mark.alone  # packets that overtake a ban
RATES = {"svcrack's pace": 150, "flat out": 5_000}


@pytest.fixture(scope="module")
def net():
    with Net({"proxy": [HERE + "/24"], "attacker": [address + "/24" for address in ATTACKERS]}) as made:
        yield made


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_one_by_one_the_next_packet_is_blocked(lan, proxy5, transport):
    """ATTACKERS_EACH attackers; each sends exactly one packet after its fifth failure."""
    late = 0
    for _ in range(ATTACKERS_EACH):
        guesser = lan.guesser(proxy5, transport=transport, timeout=0.05)
        challenge = guesser.challenge()
        statuses = []
        for number in range(THRESHOLD):
            guesser.timeout = 2.0 if number < THRESHOLD - 1 else 0.05
            statuses.append(guesser.answer(challenge, "wrong-%d" % number))
        wait_for(lambda: guesser.link.local[0] in proxy5.bans(), 3, "the ban")
        evaluated, checked = proxy5.evaluated(), proxy5.authban()["blocked"]
        assert statuses == [401] * (THRESHOLD - 1) + [0]
        try:
            guesser.link.send(guesser.build([guesser.answer_header(challenge, "one more")]))
        except (BrokenPipeError, ConnectionResetError):
            continue  # a stream that was closed brings no packet
        if transport == "udp":
            wait_for(lambda: proxy5.authban()["blocked"] > checked, 3, "it is looked at")
        late += proxy5.evaluated() - evaluated
    print("\nT28 one by one, %s: attackers=%d guesses evaluated after the ban=%d"
          % (transport, ATTACKERS_EACH, late))
    assert late == 0


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("children", [1, 4])
def test_a_burst_gets_no_more(net, children, rate):
    """Nobody waits for answers. With several workers, those that judge at this moment finish: one guess each."""
    worst = []
    with Proxy(host=HERE, netns=net["proxy"], children=children, defines={"AB_THRESHOLD": THRESHOLD}) as proxy:
        for source in ATTACKERS[:10 if rate == "flat out" else 3]:
            before = proxy.evaluated()
            attacks.burst(proxy.target, net["attacker"], source, guesses=GUESSES if rate == "flat out" else 60,
                          rate=RATES[rate], quiet=0.1)
            wait_for(lambda: source in proxy.bans(), 3, "the ban")
            worst.append(proxy.evaluated() - before)
    print("\nT28 burst, %s, workers=%d: evaluated=%s" % (rate, children, worst))
    assert max(worst) <= THRESHOLD + children - 1
    assert min(worst) >= THRESHOLD


@pytest.mark.parametrize("pause", [0.005, 1.0])
@pytest.mark.parametrize("rate", RATES)
def test_control_a_reader_of_the_log_is_late(net, rate, pause):
    proxy = peers.peer(net, "logged", HERE, WITH_QOP=True)
    with proxy, Follower(proxy, pause):
        attacks.burst(proxy.target, net["attacker"], ATTACKERS[0], guesses=GUESSES, rate=RATES[rate])
        evaluated = proxy.evaluated()
        wait_for(lambda: peers.banned(proxy, "ipban") == [ATTACKERS[0]], 5, "it bans in the end")
        peers.figure("T28", "log-reader", looks_every="%gs" % pause, rate="%d/s" % RATES[rate],
                     evaluated=evaluated, threshold=THRESHOLD, late_by=evaluated - THRESHOLD, sent=GUESSES)
    if pause == 1.0 or rate == "flat out":
        assert evaluated > THRESHOLD

# SPDX-License-Identifier: GPL-2.0-or-later
"""T16: thousands of phones of one address come back at once after an outage, with nonces of yesterday.

pike blocks them: test_an_office_comes_back in test_peer_controls_nat.py.
"""
import random

import pytest

from lib import attacks
from lib.clock import Clock
from lib.crowd import Crowd
from lib.kamailio import Proxy
from lib.netns import Net
from lib.office import LIMITS, LONG, figure, users

PROXY, OFFICE = "10.91.0.1", "10.91.0.66"
GOOD = users(2000 if LONG else 500)
SECONDS = 10 if LONG else 1
OUTAGE = 7200
OLD, RETRY, PATIENCE = "the old one", 60, 3600 if LONG else 240


@pytest.fixture(scope="module")
def net():
    with Net({"proxy": [PROXY + "/24"], "office": [OFFICE + "/24"]}) as made:
        yield made


def proxy_at(net, clock, extra="", **more):
    return Proxy(host=PROXY, netns=net["proxy"], users=GOOD, defines=dict(LIMITS, **more), extra=extra,
                 **clock.settings)


def come_back(crowd, phones):
    """Each registers with what it has, and once more when it was challenged: the statuses."""
    return attacks.register_all(crowd, phones, rate=len(phones) / SECONDS, tries=1, quiet=2)


def counted(proxy):
    now = proxy.authban()
    return {name: now[name] for name in ("failures", "bans", "pair_bans", "blocked", "unproven", "entries")}


def report(name, phones, statuses, now):
    lost = len(phones) - statuses.count(200)
    figure("T16 " + name, phones=len(phones), seconds=SECONDS, lost=lost, **now)
    assert lost == 0
    assert now["failures"] == now["bans"] == now["pair_bans"] == now["blocked"] == now["entries"] == 0


@pytest.mark.parametrize("outage", [310, OUTAGE])
def test_the_line_of_the_office_was_down(net, outage):
    """The proxy has run on; all nonces are stale, and after 330 s the tokens beside them too."""
    with Clock() as clock, proxy_at(net, clock) as proxy, Crowd(proxy.target, net["office"]) as crowd:
        phones = [crowd.member(OFFICE, *user) for user in GOOD]
        assert set(attacks.register_all(crowd, phones, rate=2000)) == {200}
        clock.advance(outage)
        assert all(phone.challenge for phone in phones)
        statuses = come_back(crowd, phones)
        report("line down", phones, statuses, counted(proxy))


def test_the_proxy_was_down(net):
    """It starts anew and knows nobody: not even the tokens of its last life."""
    with Clock() as clock:
        with proxy_at(net, clock, WITH_QOP=True) as proxy, Crowd(proxy.target, net["office"]) as crowd:
            phones = [crowd.member(OFFICE, *user) for user in GOOD]
            assert set(attacks.register_all(crowd, phones, rate=2000)) == {200}
        clock.advance(OUTAGE)
        with proxy_at(net, clock, WITH_QOP=True) as proxy, Crowd(proxy.target, net["office"]) as crowd:
            for phone in phones:
                phone.port = crowd.port
            statuses = come_back(crowd, phones)
            report("proxy down", phones, statuses, counted(proxy))


def come_back_with_old_passwords(clock, proxy, crowd, phones, name):
    """One phone in fifty has an old password; those that are out try again each minute."""
    waited = 0
    for phone in phones:
        phone.port = crowd.port
    for phone in phones[::50]:
        phone.password = OLD
    left = without(phones, come_back(crowd, phones))
    lost = len(good(left))
    while good(left) and waited < PATIENCE:
        clock.advance(RETRY)
        waited += RETRY
        random.Random(waited).shuffle(left)
        left = without(left, attacks.register_all(crowd, left, rate=1000, quiet=0.3, tries=1))
    figure("T16 old passwords", what=name, good=len(good(phones)), bad=len(phones) - len(good(phones)), lost=lost,
           waited="%ds" % waited, still_out=len(good(left)), **counted(proxy))
    assert lost == 0


def test_one_phone_in_fifty_has_an_old_password(net):
    with Clock() as clock, proxy_at(net, clock) as proxy, Crowd(proxy.target, net["office"]) as crowd:
        phones = [crowd.member(OFFICE, *user) for user in GOOD]
        assert set(attacks.register_all(crowd, phones, rate=2000)) == {200}
        clock.advance(OUTAGE)
        come_back_with_old_passwords(clock, proxy, crowd, phones, "line down")


def test_the_same_at_a_proxy_that_was_down(net, tmp_path):
    """Its snapshot knows who had logged in from there; without one they would all be strangers."""
    kept = "\n".join('modparam("authban", "%s", "%s")' % row for row in (
        ("snapshot", tmp_path / "authban.snapshot"), ("snapshot_interval", 1)))
    with Clock() as clock:
        with proxy_at(net, clock, extra=kept) as proxy, Crowd(proxy.target, net["office"]) as crowd:
            phones = [crowd.member(OFFICE, *user) for user in GOOD]
            assert set(attacks.register_all(crowd, phones, rate=2000)) == {200}
        clock.advance(OUTAGE)
        with proxy_at(net, clock, extra=kept) as proxy, Crowd(proxy.target, net["office"]) as crowd:
            come_back_with_old_passwords(clock, proxy, crowd, phones, "proxy down")


def good(phones):
    return [phone for phone in phones if phone.password != OLD]


def without(phones, statuses):
    """Those that are not registered."""
    return [phone for phone, status in zip(phones, statuses) if status != 200]

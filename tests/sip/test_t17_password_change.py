# SPDX-License-Identifier: GPL-2.0-or-later
"""T17: phones that go on with an old password, for simulated hours: nothing grows, and who gets the new one gets in.

htable's table grows with them: test_phones_with_old_passwords in test_peer_controls_sources.py.
"""
import pytest

from lib import attacks, cpu
from lib.clock import Clock
from lib.crowd import Crowd
from lib.kamailio import Proxy
from lib.netns import Net
from lib.office import LIMITS, LONG, figure, tries, users

PROXY, TOWN, NETWORK, PHONE = "10.92.0.1", "10.92.0.66", "10.96.0.0/14", "10.92.0.2"
PHONES = users(5000 if LONG else 500)
STEP, HOURS = (1800, 24) if LONG else (1200, 2)
HOUR, BAN_TIME = 3600, 600
OLD = "the old one"
NO_BREAKER = 'modparam("authban", "breaker", 0)\n'


@pytest.fixture(scope="module")
def net():
    hosts = {"proxy": [PROXY + "/24"], "town": [TOWN + "/24"], "phone": [PHONE + "/24"]}
    with Net(hosts) as made:
        made.any_ip("town", NETWORK, via=TOWN)
        yield made


def address(number):
    """Each in a network of its own, as far as they go."""
    return "10.%d.%d.%d" % (96 + number // 256 % 4, number % 256, 1 + number // 1024)


def hour(proxy, clock, crowd, phones, number):
    """All try once each STEP seconds, at first often enough to be banned: what is there then, and what happened."""
    steps = [STEP] * (HOUR // STEP)
    if number == 0:
        steps = [100] * 6 + [STEP] * ((HOUR - 600) // STEP)
    lines, failures = len(proxy.log_lines("authban")), proxy.authban()["failures"]
    with cpu.Meter(proxy) as meter:
        for step in steps:
            tries(crowd, phones, OLD, rate=4000, quiet=0.2)
            clock.advance(step)
    now = proxy.authban()
    return {"entries": now["entries"], "lines": len(proxy.log_lines("authban")) - lines,
            "evaluated": now["failures"] - failures, "cpu": meter.seconds, "tries": len(steps) * len(phones)}


@pytest.mark.parametrize("knew,extra", [(True, NO_BREAKER), (True, ""), (False, "")],
                         ids=["logged in before, no breaker", "logged in before", "strangers"])
def test_phones_that_fail_for_ever(net, knew, extra):
    with Clock() as clock, Proxy(host=PROXY, netns=net["proxy"], users=PHONES, defines=LIMITS, extra=extra,
                                 **clock.settings) as proxy, Crowd(proxy.target, net["town"]) as crowd:
        phones = [crowd.member(address(number), *user) for number, user in enumerate(PHONES)]
        if knew:
            assert set(attacks.register_all(crowd, phones, rate=3000)) == {200}
        hours = [hour(proxy, clock, crowd, phones, number) for number in range(HOURS)]
        now = proxy.authban()
        each = sum(one["cpu"] for one in hours) / sum(one["tries"] for one in hours)
        load = 5000 * each / 60
        figure("T17", phones=len(phones), knew=knew, breaker=not extra, hours=HOURS, cpu_us_a_try="%.0f" % (1e6 * each),
               cpu_of_5000_each_minute="%.2f%%" % (100 * load), bans=now["bans"], pair_bans=now["pair_bans"],
               **{name: ",".join(str(one[name]) for one in hours) for name in ("entries", "lines", "evaluated")})
    for one in hours:
        assert one["entries"] <= hours[0]["entries"] <= 3 * len(phones)
        assert one["lines"] <= len(phones)
    assert now["bans"] + now["pair_bans"], "it came to bans"
    assert load < 0.02


def wait_for_login(clock, crowd, phone, limit, every=30):
    """The right password now, a try each half minute: simulated seconds until it is registered."""
    for waited in range(0, limit, every):
        if tries(crowd, [phone], quiet=0.04) == [200]:
            return waited
        clock.advance(every)
    return limit


@pytest.mark.parametrize("hours,each", [pytest.param(1, 70, id="an hour"), pytest.param(12, 605, id="half a day"),
                                        pytest.param(27, 1205, id="more than a day")])
def test_a_phone_gets_the_new_password(net, hours, each):
    with Clock() as clock, Proxy(host=PROXY, netns=net["proxy"], defines=LIMITS, **clock.settings) as proxy, \
            Crowd(proxy.target, net["phone"]) as crowd:
        phone = crowd.member(PHONE, "alice", "alice-secret")
        assert attacks.register_all(crowd, [phone]) == [200]
        for _ in range(hours * HOUR // each):
            clock.advance(each)
            tries(crowd, [phone], OLD, quiet=0.04)
        took = wait_for_login(clock, crowd, phone, 24 * HOUR if LONG else HOUR)
        now = proxy.authban()
        figure("T17 new password", hours_of_failing=hours, registered_after="%ds" % took, pair_bans=now["pair_bans"],
               bans=now["bans"])
    assert now["pair_bans"], "it was banned before"
    assert took <= BAN_TIME / 2

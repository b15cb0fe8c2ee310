# SPDX-License-Identifier: GPL-2.0-or-later
"""Dry run tells how many messages a ban would have dropped, and how many of these at sources with customers."""
import pytest

from lib.attacks import new_password
from lib.lan import address_of
from lib.sip import Guesser

THRESHOLD = 3


@pytest.fixture(scope="module")
def dry(lan):
    return lan.proxy(AB_THRESHOLD=THRESHOLD, AB_MODE="dry_run", WITH_QOP=True)


def would(proxy):
    now = proxy.authban()
    return {name: now[name] for name in ("would_block", "would_block_good", "blocked", "bans", "pair_bans")}


def moved(proxy, before):
    return {name: value - before[name] for name, value in would(proxy).items()}


def beside(lan, proxy, phone):
    """Somebody who guesses at carol's password from the phone's address."""
    return lan.keep(Guesser("carol", proxy.target, source=address_of(phone), netns=lan.net["phone"]))


def test_a_stranger_would_be_dropped(lan, dry):
    before = would(dry)
    guesser = lan.guesser(dry)
    statuses = [guesser.guess(new_password()) for _ in range(2 * THRESHOLD)]
    row = dry.rpc("authban.get", address_of(guesser))
    print("\ndry run stranger: statuses=%s moved=%s why=%r" % (set(statuses), moved(dry, before), row["why"]))
    assert set(statuses) == {401} and row["state"] == "dry_run"
    # after the third failure each challenge and each guess
    assert moved(dry, before) == {"would_block": 2 * THRESHOLD, "would_block_good": 0, "blocked": 0, "bans": 1,
                                  "pair_bans": 0}


def test_a_pair_behind_a_shared_address_would_be_dropped(lan, dry):
    phone = lan.phone(dry)
    assert phone.register().status == 200
    before = would(dry)
    guesser = beside(lan, dry, phone)
    statuses = [guesser.guess(new_password()) for _ in range(2 * THRESHOLD)]
    trips = [phone.register() for _ in range(3)]
    print("\ndry run pair: statuses=%s moved=%s" % (set(statuses), moved(dry, before)))
    assert set(statuses) == {401} and {trip.status for trip in trips} == {200}
    # only the guesses: challenges and the phone pass
    assert moved(dry, before) == {"would_block": THRESHOLD, "would_block_good": THRESHOLD, "blocked": 0, "bans": 0,
                                  "pair_bans": 1}


def test_a_customer_with_an_old_password_would_be_dropped(lan, dry):
    """What would_block_good is for: here a ban would have hit somebody who had logged in."""
    phone = lan.phone(dry)
    assert phone.register().status == 200
    phone.password, before = "an old one", would(dry)
    for _ in range(THRESHOLD):
        assert phone.register().status == 401
    phone.password = "bob-secret"
    result = phone.register()
    print("\ndry run old password: moved=%s, then %s" % (moved(dry, before), result))
    assert result.status == 200
    assert moved(dry, before)["would_block_good"] >= 1
    assert moved(dry, before)["blocked"] == 0


def test_control_in_mode_ban_they_are_dropped(lan):
    proxy = lan.proxy(AB_THRESHOLD=THRESHOLD)
    phone = lan.phone(proxy)
    assert phone.register().status == 200
    guesser = beside(lan, proxy, phone)
    statuses = [guesser.guess(new_password()) for _ in range(2 * THRESHOLD)]
    print("\nmode ban, the same pair: statuses=%s %s" % (statuses, would(proxy)))
    assert statuses[THRESHOLD:] == [0] * THRESHOLD and phone.register().status == 200
    assert would(proxy)["blocked"] == THRESHOLD and would(proxy)["would_block"] == 0

# SPDX-License-Identifier: GPL-2.0-or-later
"""Negative controls: many phones behind one address (T14, T15, T16) and the usual configurations.

If one of these fails, the crowd of our own tests is too tame, and their success means nothing.
"""
import pytest

from lib import attacks, peers
from lib.netns import Net

PROXY, OFFICE = "10.83.0.1", "10.83.0.66"
KINDS = [("htable", "authfail", {"WITH_QOP": True}), ("pike", "ipban", {})]
USERS = [("phone-%d" % number, "secret-%d" % number) for number in range(200)]
EVERYBODY = USERS + [("alice", "alice-secret"), ("carol", "carol-secret")]


@pytest.fixture(scope="module")
def net():
    with Net({"proxy": [PROXY + "/24"], "office": [OFFICE + "/24"]}) as made:
        yield made


def peer(net, name, defines):
    return peers.peer(net, name, PROXY, users=EVERYBODY, **defines)


def report(threat, name, proxy, table, done):
    done = dict(done, evaluated=proxy.evaluated(), banned=len(peers.banned(proxy, table)))
    peers.figure(threat, name, **{key: int(value) for key, value in done.items()})
    return done


def test_one_bad_phone_and_sixty_good_ones(net):
    """T14: the bad phone tries ten times in a row, as phones do, while the good ones have their nonces."""
    with peer(net, "htable", {"WITH_QOP": True}) as proxy:
        done = attacks.bad_phone(proxy.target, net["office"], OFFICE, USERS[:60], rounds=2, tries=10)
        done = report("T14", "htable", proxy, "authfail", done)
    assert done["phones_that_lost"] >= 30


@pytest.mark.parametrize("name,table,defines", KINDS)
def test_svcrack_behind_the_phones_address(net, name, table, defines):
    """T15: ten phones, slow enough for pike, are banned together with svcrack."""
    with peer(net, name, defines) as proxy:
        done = attacks.crack_inside(proxy.target, net["office"], OFFICE, USERS[:10], guesses=300, rounds=2, rate=4)
        done = report("T15", name, proxy, table, done)
    assert done["phones_that_lost"] >= 5 or done["guesses_sent"] >= 100


def test_svcrack_behind_a_busy_address(net):
    """T15: the many successes of the phones forgive svcrack its failures, and it guesses on."""
    with peer(net, "htable", {"WITH_QOP": True}) as proxy:
        done = attacks.crack_inside(proxy.target, net["office"], OFFICE, USERS[:60], guesses=600, rounds=5)
        done = report("T15", "htable and busy phones", proxy, "authfail", done)
    assert done["phones_that_lost"] >= 30 or done["guesses_sent"] >= 100


@pytest.mark.parametrize("name,table,defines", KINDS)
def test_an_office_comes_back(net, name, table, defines):
    """T16: 200 phones within two seconds, all with the right password."""
    with peer(net, name, defines) as proxy:
        done = attacks.office_returns(proxy.target, net["office"], OFFICE, USERS, seconds=2)
        done = report("T16", name, proxy, table, done)
    if name == "pike":
        assert done["phones_that_lost"] >= 100
    else:
        assert done["phones_that_lost"] == 0, "without failures htable has no reason"

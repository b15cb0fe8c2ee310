# SPDX-License-Identifier: GPL-2.0-or-later
"""What is a failure, of whom, and what is none: T12, malformed credentials, a dead database."""
import sqlite3

import pytest

from lib.lan import address_of, counted
from lib.kamailio import REALM
from lib.sip import malformed_credentials

THRESHOLD = 5
UNTIL_BANNED = [401] * (THRESHOLD - 1) + [0]


def figure(what, guesser, proxy, statuses):
    row = proxy.bans().get(address_of(guesser))
    print("\n%s: statuses=%s banned=%d failures=%s proof=%s" % (
        what, statuses, bool(row), row and row["failures"], row and row["proof"]))
    return row


@pytest.mark.parametrize("kind", ["known", "unknown"])
def test_each_users_guesses_count(lan, proxy5, kind):
    """Guesses at names count as guesses at passwords do, and distinct names are told."""
    guesser = lan.guesser(proxy5)
    name = "alice" if kind == "known" else "nobody-%d"
    statuses = [guesser.guess("wrong-%d" % n, user=name % n if "%" in name else name) for n in range(THRESHOLD)]
    row = figure("names %s" % kind, guesser, proxy5, statuses)
    assert statuses == UNTIL_BANNED
    # an estimate out of 32 bits: of five users two or three may share one
    assert row["users"] == 1 if kind == "known" else THRESHOLD - 2 <= row["users"] <= THRESHOLD


def test_an_own_account_does_not_reset(lan, proxy5):
    """T12: a good login with the attacker's own account before every guess at alice."""
    guesser = lan.guesser(proxy5)
    own = lan.phone(proxy5, "carol", source=address_of(guesser), host="attacker")
    statuses, logins = [], []
    for number in range(THRESHOLD):
        logins.append(own.register().status)
        statuses.append(guesser.guess("wrong-%d" % number))
    figure("T12 logins=%s" % logins, guesser, proxy5, statuses)
    assert logins == [200] * THRESHOLD
    assert statuses == UNTIL_BANNED
    # the user is banned at this source, and the account goes on: neither helps a guess
    before = proxy5.evaluated()
    assert guesser.guess("wrong-again") == 0 and own.register().status == 200
    assert proxy5.evaluated() == before + 1


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_malformed_credentials_count_with_proof(lan, proxy5, transport):
    """As svcrack sends them; TCP is a proof, so there they count without a token too."""
    guesser = lan.guesser(proxy5, kind="svcrack", transport=transport)
    before = proxy5.authban()["malformed"]
    challenge = guesser.challenge()
    statuses = [guesser.answer(challenge, "wrong-%d" % n, opaque=transport == "udp") for n in range(THRESHOLD)]
    figure("malformed %s" % transport, guesser, proxy5, statuses)
    assert statuses == UNTIL_BANNED
    assert proxy5.authban()["malformed"] - before == THRESHOLD


def test_malformed_credentials_without_proof(lan, proxy5):
    guesser = lan.guesser(proxy5, kind="svcrack")
    before, unproven = counted(proxy5), proxy5.authban()["unproven"]
    challenge = dict(guesser.challenge(), opaque=None)
    name, value = malformed_credentials(challenge, "alice", "wrong", "REGISTER", "sip:" + REALM)
    broken = [(name, value), (name, "Digest garbage"), (name, 'Digest username="alice", realm="%s"' % REALM),
              (name, "Digest " + "x=" * 500), (name, "Basic YWxpY2U6eA==")]
    responses = [guesser.send([header]) for header in broken]
    print("\nmalformed without proof: statuses=%s counted=%s" % (
        [r and r.status for r in responses], counted(proxy5) == before))
    assert counted(proxy5) == before
    assert proxy5.authban()["unproven"] - unproven >= 3
    assert guesser.challenge(), "not banned"


def empty_file(path):
    """The disk has lost the table."""
    with open(path, "r+b") as file:
        file.truncate(0)
    return None


def locked_file(path):
    """Somebody holds the database for himself."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("BEGIN EXCLUSIVE")
    return db


@pytest.mark.parametrize("fault", [empty_file, locked_file])
def test_a_dead_database_is_nobodys_failure(lan, fault):
    """F28. (Moving the file away does nothing: the workers keep it open.)"""
    proxy = lan.proxy(AB_THRESHOLD=THRESHOLD)
    phone, guesser = lan.phone(proxy), lan.guesser(proxy)
    assert phone.register().status == 200
    held = fault(proxy.database)
    statuses = [phone.register().status for _ in range(10)] + [guesser.guess("wrong") for _ in range(10)]
    retry = phone.last.header("retry-after")
    if held:
        held.close()
    now = proxy.authban()
    print("\ndatabase %s: statuses=%s backend_errors=%d counted=%s" % (
        fault.__name__, sorted(set(statuses)), now["backend_errors"], counted(proxy)))
    assert statuses == [503] * 20
    assert retry == "30"
    assert now["backend_errors"] == 20
    assert set(counted(proxy).values()) == {0}
    if held:
        assert phone.register().status == 200, "it recovers by itself"

# SPDX-License-Identifier: GPL-2.0-or-later
"""F28: the database of the users is down under 1,000 phones: nobody's password is wrong, so nobody is counted.

The table is gone; the file is locked by somebody for good; the file is moved away, which nobody notices who
has it open. AUTHBAN_LONG=1: for 60 s each.
"""
import contextlib
import os
import sqlite3
import time

import pytest

from lib.attacks import register_all
from lib.crowd import Crowd
from lib.kamailio import Proxy
from lib.fleet import THRESHOLD, banned, status
from lib.traffic import RoundRobin

LONG = bool(os.environ.get("AUTHBAN_LONG"))
PHONES = 1000
SECONDS = 60 if LONG else 0.1
USERS = [("user-%d" % number, "secret-%d" % number) for number in range(PHONES)]
ATTACKER = "127.28.99.1"
COUNTS = ("failures", "bans", "pair_bans", "suspended", "malformed", "blocked")


def source(number):
    return "127.28.%d.%d" % (number // 250, number % 250 + 1)


def change(path, *commands):
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as db, db:
        for command in commands:
            db.execute(command)


@contextlib.contextmanager
def no_table(path):
    change(path, "ALTER TABLE subscriber RENAME TO away")
    yield
    change(path, "ALTER TABLE away RENAME TO subscriber")


@contextlib.contextmanager
def moved_away(path):
    os.rename(path, path + ".saved")
    yield
    os.rename(path + ".saved", path)


@contextlib.contextmanager
def locked(path):
    with contextlib.closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        yield
        db.execute("ROLLBACK")


def counts(node):
    now = node.authban()
    return {name: now[name] for name in COUNTS}


def ask_all(crowd, phones, rate):
    """For a while, all in turn, each waited for: [statuses]; how many requests."""
    begin, seen, asked = time.monotonic(), set(), 0
    while True:
        seen |= set(crowd.ask(phones, rate=rate))
        asked += len(phones)
        if time.monotonic() - begin > SECONDS:
            return seen, asked


@pytest.mark.parametrize("how, answer", [(no_table, 503), (locked, 503), (moved_away, 200)])
def test_f28_database_down(how, answer):
    with Proxy(users=USERS, defines={"AB_THRESHOLD": THRESHOLD, "WITH_QOP": True}, children=4) as node, \
            Crowd(node.target) as crowd:
        phones = [crowd.member(source(number), *USERS[number]) for number in range(PHONES)]
        assert register_all(crowd, phones, rate=3000) == [200] * PHONES
        before, errors, guesses = counts(node), node.authban()["backend_errors"], 0
        with how(node.database):
            statuses, asked = ask_all(crowd, phones, 3000)
            errors = node.authban()["backend_errors"] - errors
            if answer == 503:
                with RoundRobin([node], ATTACKER) as attacker:
                    guesses = attacker.send(2 * THRESHOLD)
            assert counts(node) == before and not node.bans() and status(node)["breaker"] == "closed"
        begin = time.monotonic()
        back = register_all(crowd, phones, rate=3000)
        took = time.monotonic() - begin
        with RoundRobin([node], ATTACKER) as attacker:
            evaluated = attacker.send(2 * THRESHOLD)
        print("\nF28 %s: phones=%d requests=%d answers=%s backend_errors=%d counted=0 bans=0 guesses_meanwhile=%d;"
              " back: %d/%d served within %.1fs, the guesser banned at %d"
              % (how.__name__, PHONES, asked, sorted(statuses), errors, guesses, back.count(200), PHONES, took,
                 evaluated))
        assert statuses == {answer} and errors == (asked if answer == 503 else 0)
        assert back == [200] * PHONES
        assert evaluated == THRESHOLD and banned(node, ATTACKER)

# SPDX-License-Identifier: GPL-2.0-or-later
"""The events of networks, users and the breaker: authban:campaign, authban:user-attack, authban:breaker."""
import contextlib
import sqlite3

import pytest

from lib.kamailio import Proxy
from lib.sip import Guesser, Phone
from lib.wait import wait_for

FIELDS = "event net reason users detail".split()
SAY = 'xlog("L_NOTICE", "EVENT %s\\n");' % " ".join("%s=[$authban(%s)]" % (name, name) for name in FIELDS)
NAMES = ("authban:campaign", "authban:user-attack", "authban:breaker")
SETTINGS = "".join("event_route[%s] { %s }\n" % (name, SAY) for name in NAMES) + """
modparam("authban", "breaker", 2)
"""
USERS = [("user-%d" % n, "secret-%d" % n) for n in range(5)]
LIMIT = 3


@pytest.fixture
def proxy():
    defines = {"AB_THRESHOLD": 50, "AB_NET_SOURCES": LIMIT, "AB_USER_SOURCES": LIMIT}
    one = Proxy(extra=SETTINGS, users=USERS, defines=defines)
    try:
        yield one.start()
    finally:
        one.stop()


def told(proxy, name):
    """What the route of one event was told: [{field: text}]."""
    rows = []
    for line in proxy.log_lines(r"EVENT event=\[%s\]" % name):
        words = line.split("EVENT ", 1)[1].split("] ")
        rows.append(dict(word.rstrip("]").split("=[", 1) for word in words))
    return rows


def guess(proxy, source, user):
    with Guesser(user, proxy.target, source=source, timeout=0.4) as guesser:
        return guesser.guess("wrong")


def test_a_network_comes_under_watch(proxy):
    for n in range(2 * LIMIT):
        guess(proxy, "127.21.1.%d" % (1 + n), "nobody-%d" % n)
    rows = wait_for(lambda: told(proxy, "authban:campaign"), 3, "the campaign is told")
    print("\nevents: campaign %s" % rows)
    assert rows[0]["net"] == "127.21.1.0/24" and not told(proxy, "authban:user-attack")


def test_a_user_comes_under_attack(proxy):
    for n in range(2 * LIMIT):
        guess(proxy, "127.22.%d.1" % n, "user-0")
    rows = wait_for(lambda: told(proxy, "authban:user-attack"), 3, "the attack is told")
    print("\nevents: user-attack %s" % rows)
    assert len(rows[0]["detail"]) == 16 and "user-0" not in rows[0]["detail"]
    assert not told(proxy, "authban:campaign")


def test_the_breaker_opens(proxy):
    with contextlib.ExitStack() as stack:
        phones = [stack.enter_context(Phone(*user, proxy.target, source="127.23.%d.1" % n))
                  for n, user in enumerate(USERS)]
        assert [phone.register().status for phone in phones] == [200] * len(USERS)
        with contextlib.closing(sqlite3.connect(proxy.database, timeout=5)) as db, db:
            db.execute("DELETE FROM subscriber")
        for phone in phones:
            phone.register()
        rows = wait_for(lambda: told(proxy, "authban:breaker"), 3, "the breaker is told")
    print("\nevents: breaker %s" % rows)
    assert rows[0]["detail"] == "open" and len(rows) == 1

# SPDX-License-Identifier: GPL-2.0-or-later
"""F11: Redis wants a login, refuses ours, or a command: at most one try in 30 s, and words without the password.

Each proxy has a clock that the test moves on.
"""
import contextlib

import pytest

from lib import acl, faults
from lib.clock import Clock
from lib.fleet import make_proxy, status, wait_connected
from lib.wait import holds_for, wait_for

WRONG = "not-the-secret"


@pytest.fixture
def redis():
    with acl.redis_with_users() as server:
        yield server


class Tries:
    """How often Redis was connected to, but for the test's own connection. A try is one or two connections."""

    def __init__(self, redis):
        self.client = redis.client()
        self.before = self.now()

    def now(self):
        stats = self.client("INFO", "stats").split()
        return int(next(line for line in stats if line.startswith("total_connections_received:")).split(":")[1])

    def count(self):
        return self.now() - self.before


def told(node, word):
    """The message in status and log; neither has the password."""
    shown = wait_for(lambda: status(node)["redis_last_error"], 2, "the error is shown")
    assert word in shown and node.log_lines(faults.AWAY + "|is away .*" + word)
    for secret in (WRONG, acl.SECRET, "the%20secret"):
        assert secret not in shown + node.log() + str(status(node))
    return shown


def wait_half_a_minute(node, clock, tries, before):
    """Nothing for 28 s and what the test took, one try at 30 s or somewhat later; returns its connections."""
    errors = status(node)["redis_errors"]
    clock.advance(26.5)
    holds_for(lambda: tries.count() == before, 1.3, "no try within 30 s")
    clock.advance(11.5)
    wait_for(lambda: tries.count() > before and status(node)["redis_errors"] > errors, 3, "a new try, refused too")
    return tries.count() - before


KINDS = {"WRONGPASS": ("authban:" + WRONG, ">" + WRONG), "NOAUTH": ("", None)}


@pytest.mark.parametrize("word", KINDS)
def test_f11_the_login_is_refused(redis, word):
    login, cure = KINDS[word]
    url = "redis://%s127.0.0.1:%d/0" % (login + "@" if login else "", redis.port)
    tries = Tries(redis)
    with contextlib.closing(tries.client), Clock() as clock:
        with make_proxy(redis, 1, url=url, **clock.settings) as node, faults.Load([node]) as load:
            shown = told(node, word)
            faults.assert_local_ban(node, "127.31.1.1")
            first = tries.count()  # by now both connections of the first try
            new = wait_half_a_minute(node, clock, tries, first)
            told(node, word)
            if cure:
                redis.command("ACL", "SETUSER", acl.USER, cure)
            else:
                redis.command("ACL", "SETUSER", "default", "nopass")
            clock.advance(38)
            took = wait_connected(node, 4.0)
            faults.report("F11 " + word, load, took, faults.lost([node], ["127.31.1.1"]), connections_at_start=first,
                          in_the_next_38s=new, error=repr(shown))
    assert first <= 2 and new <= 2


def test_f11_a_command_is_refused(redis):
    """NOPERM: the user lost a right while we were connected."""
    tries = Tries(redis)
    with contextlib.closing(tries.client), Clock() as clock:
        with make_proxy(redis, 1, url=acl.url_of(redis), **clock.settings) as node, faults.Load([node]) as load:
            wait_connected(node)
            redis.command("ACL", "SETUSER", acl.USER, "-hset")
            tries.before = tries.now()
            faults.assert_local_ban(node, "127.31.2.1")
            shown = told(node, "NOPERM")
            first = tries.count()
            new = wait_half_a_minute(node, clock, tries, first)
            redis.command("ACL", "SETUSER", acl.USER, "+hset")
            clock.advance(38)
            wait_connected(node, 4.0)
            took = faults.wait_sent([node])
            faults.report("F11 NOPERM", load, took, faults.lost([node], ["127.31.2.1"]), in_the_next_38s=new,
                          error=repr(shown))
    assert first == 0 and new <= 2

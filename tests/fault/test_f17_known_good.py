# SPDX-License-Identifier: GPL-2.0-or-later
"""F17: after a restart a proxy knows who has logged in from where, which users mean whom, and the allow-list."""
import pytest

from lib import snapshot
from lib.fleet import banned
from lib.kamailio import Proxy
from lib.sip import Guesser, Phone


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "authban.snapshot")


def bad_phone(node, source, tries=12):
    """A device with an old password behind a shared address."""
    with Guesser("bob", node.target, source=source, timeout=0.05) as guesser:
        for number in range(tries):
            guesser.guess("old-%d" % number)


def shared_address(node, source, end, start=Proxy.start):
    """alice logs in; restart; bob's phone is bad: (alice's statuses before and after, state of the address)."""
    with Phone("alice", "alice-secret", node.target, source=source) as alice:
        before = alice.register().status
        end(node)
        start(node)
        bad_phone(node, source)
        with Phone("alice", "alice-secret", node.target, source=source) as again:
            after = again.register().status
    return before, after, banned(node, source)


@pytest.mark.parametrize("key", ["without key", "with key"])
@pytest.mark.parametrize("how", ["SIGTERM", "kill -9"])
def test_f17_a_bad_phone_behind_a_shared_address(path, key_file, how, key):
    with snapshot.alone(path, key_file=key_file if key == "with key" else None) as node:
        before, after, is_banned = shared_address(
            node, "127.50.3.1", Proxy.stop if how == "SIGTERM" else snapshot.crash(path))
        print("\nF17 shared address, %s, %s: alice=%d,%d address_banned=%s" % (how, key, before, after, is_banned))
        assert (before, after, is_banned) == (200, 200, False)


def test_f17_control_shared_address_without_a_snapshot():
    with snapshot.alone("") as node:
        before, after, is_banned = shared_address(node, "127.50.3.1", Proxy.stop)
        print("\nF17 control, shared address: alice=%d,%d address_banned=%s" % (before, after, is_banned))
        assert before == 200 and is_banned and not after


@pytest.mark.parametrize("key", ["without key", "with key"])
def test_f17_a_banned_pair(path, key_file, key):
    """Users are kept as keyed hashes: after a restart they still mean the same users."""
    source = "127.50.4.1"

    def first_answers():
        with Guesser("bob", node.target, source=source) as bob, Guesser("carol", node.target, source=source) as carol:
            return bob.guess("another"), carol.guess("another")

    with snapshot.alone(path, key_file=key_file if key == "with key" else None) as node:
        with Phone("alice", "alice-secret", node.target, source=source) as alice:
            assert alice.register().status == 200
        bad_phone(node, source)
        before = first_answers()
        node.stop()
        node.start()
        after = first_answers()
        print("\nF17 pair, %s: bob,carol before=%s after=%s" % (key, before, after))
        assert before == after and before[0] == 0 and before[1] == 401


def test_f17_operators_allow_entries(path):
    """What an operator has put on the list stays there, what he has taken off stays off."""
    with snapshot.alone(path) as node:
        node.rpc("authban.allow_add", "127.50.6.1")
        node.rpc("authban.allow_add", "127.50.6.2")
        node.rpc("authban.allow_del", "127.50.6.2")
        node.stop()
        node.start()
        for source, spared in (("127.50.6.1", True), ("127.50.6.2", False)):
            bad_phone(node, source)
            assert banned(node, source) != spared
    print("\nF17 allow-list: kept")

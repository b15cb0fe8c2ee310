# SPDX-License-Identifier: GPL-2.0-or-later
"""authban_result(rc, user, policy): other limits for the attempts that the script judges by a policy's name."""
import os

import pytest

from lib import ROOT
from lib.calls import PolicyGuesser, calling_config
from lib.lan import address_of

THRESHOLD = 5
POLICIES = """
modparam("authban", "policy", "carrier: threshold=9, ban_time=60")
modparam("authban", "policy", "strict: threshold=2, ban_time=7200")
"""
RESULT = 'authban_result("$rc", "$au", "$hdr(X-Policy)")'


@pytest.fixture(scope="module")
def proxy(lan, tmp_path_factory):
    config = calling_config(tmp_path_factory.mktemp("policies"), RESULT)
    return lan.proxy(AB_THRESHOLD=THRESHOLD, settings={"config": config, "extra": POLICIES})


def guesser_of(lan, proxy, policy, source=None):
    made = lan.keep(PolicyGuesser("alice", proxy.target, source=source or lan.attacker_address(),
                                  netns=lan.net["attacker"], timeout=1.0))
    made.policy = policy
    return made


def guesses_until_banned(guesser, limit=15):
    """How many were evaluated: the last of them is answered by silence."""
    for number in range(1, limit + 1):
        if not guesser.guess("wrong-%d" % number):
            return number
    return None


@pytest.mark.parametrize("policy,limit,ban_time", [
    ("carrier", 9, 60), ("strict", 2, 7200), (None, THRESHOLD, 600), ("Carrier", THRESHOLD, 600)])
def test_the_limits_are_the_policys(lan, proxy, policy, limit, ban_time):
    guesser = guesser_of(lan, proxy, policy)
    took = guesses_until_banned(guesser)
    row = proxy.rpc("authban.get", address_of(guesser))
    print("\npolicy %s: banned at guess %s, ttl=%d, policy=%r, why=%r"
          % (policy, took, row["ttl"], row["policy"], row["why"]))
    assert took == limit
    assert ban_time * 15 // 16 - 2 <= row["ttl"] <= ban_time
    assert row["policy"] == (policy if policy in ("carrier", "strict") else "")
    assert row["why"] == "threshold: %d failures in 600 s (threshold %d)" % (limit, limit)


def test_a_policy_that_there_is_not_is_told_once_and_not_named(lan, proxy):
    """The name may come out of a message: whoever sends it writes nothing into the log."""
    for name in ("no-such-policy", "no-such-policy ip=10.0.0.1 event=unban"):
        assert guesses_until_banned(guesser_of(lan, proxy, name)) == THRESHOLD
    lines = proxy.log_lines("there is no policy")
    print("\npolicy unknown: guesses=%d lines=%d" % (2 * THRESHOLD, len(lines)))
    # one a process
    assert 1 <= len(lines) <= len(proxy.pids())
    assert not proxy.log_lines("no-such-policy")


def test_a_policy_changes_the_limit_of_a_pair(lan, proxy):
    """Behind one address with a known-good user: strict takes two failures of a pair, carrier nine."""
    for policy, limit in (("strict", 2), ("carrier", 9)):
        source = lan.attacker_address()
        assert lan.phone(proxy, source=source, host="attacker").register().status == 200
        took = guesses_until_banned(guesser_of(lan, proxy, policy, source))
        row = proxy.rpc("authban.get", source)
        print("\npolicy %s, shared source: pair banned at guess %d, %s" % (policy, took, row["pairs"]))
        assert took == limit and row["state"] == "watched"
        assert row["pairs"][0]["why"] == "pair: %d failures in 600 s (threshold %d)" % (limit, limit)
        assert lan.phone(proxy, source=source, host="attacker").register().status == 200


def test_policies_from_lua(lan, tmp_path):
    with open(os.path.join(ROOT, "etc", "kamailio-authban.lua"), encoding="utf-8") as file:
        text = file.read()
    call = "KSR.authban.result(rc)"
    assert call in text
    script = tmp_path / "policies.lua"
    script.write_text(text.replace(
        call, 'KSR.authban.result_policy(rc, KSR.pv.gete("$au"), KSR.pv.gete("$hdr(X-Policy)"))'))
    proxy = lan.proxy(AB_THRESHOLD=THRESHOLD, LUA_SCRIPT=str(script), settings={
        "config": os.path.join(ROOT, "etc", "kamailio-authban-kemi.cfg"), "extra": POLICIES})
    took = {policy: guesses_until_banned(guesser_of(lan, proxy, policy)) for policy in ("carrier", "strict", None)}
    print("\npolicies from lua: %s" % took)
    assert took == {"carrier": 9, "strict": 2, None: THRESHOLD}

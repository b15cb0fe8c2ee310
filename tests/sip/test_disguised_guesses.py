# SPDX-License-Identifier: GPL-2.0-or-later
"""Credentials that are odd on purpose: a guess counts in any disguise, and nobody can fake a dead database."""
import re

import pytest

from lib.lan import counted


def replaced(pattern, text):
    """One header with a part of it changed."""
    def change(name, value, _):
        assert re.search(pattern, value), "nothing to change"
        return [(name, re.sub(pattern, text, value, count=1))]
    return change


def foreign(challenge):
    """A nonce that looks like ours and is not."""
    nonce = challenge["nonce"]
    return nonce[:20] + "A" * (len(nonce) - 24) + nonce[-4:]


# Each is a function of (name, value, challenge) and gives the headers of one request. All carry our
# token and our nonce, and a response that the password check or authban must judge.
GUESSES = {
    "as phones do": replaced("username", "username"),
    "not hexadecimal": replaced('response="....', 'response="zzzz'),
    "response too short": replaced('response="....', 'response="'),
    "response too long": replaced('response="', 'response="0000'),
    "other algorithm": replaced("MD5", "SHA-256"),
    "unknown algorithm": replaced("MD5", "foo"),
    "session algorithm": replaced("MD5", "MD5-sess"),
    "other uri": replaced('uri="[^"]*', 'uri="sip:elsewhere'),
    "empty uri": replaced('uri="[^"]*', 'uri="'),
    "no uri": replaced('uri="[^"]*", ', ""),
    "user with a domain": replaced('username="alice', 'username="alice@other.test'),
    "empty user": replaced('username="alice', 'username="'),
    "no user": replaced('username="alice", ', ""),
    "long user": replaced('username="alice', 'username="' + "a" * 5000),
    "user with SQL": replaced('username="alice', "username=\"alice' OR '1'='1"),
    "realm in capitals": replaced('realm="sip.test', 'realm="SIP.TEST'),
    "without qop": replaced(r"(, qop=auth, nc=\w+, cnonce=\"\w+\")?$", ""),
    "unknown qop": replaced(r"(, qop=auth, nc=\w+, cnonce=\"\w+\"|$)", ', qop=foo, nc=00000001, cnonce="x"'),
    "in both headers": lambda name, value, _: [("Proxy-Authorization", value), (name, value)],
    "behind another realm": lambda name, value, _: [(name, value.replace("sip.test", "x")), (name, value)],
}


@pytest.fixture(scope="module", params=[False, True], ids=["no-qop", "qop"])
def watched(request, lan):
    """(proxy that bans nobody so soon, guesser)"""
    proxy = lan.proxy(AB_THRESHOLD=10000, WITH_QOP=request.param)
    return proxy, lan.guesser(proxy)


def change_of(proxy, action):
    """What action() gives, and which counters it moved."""
    before = dict(counted(proxy), backend_errors=proxy.authban()["backend_errors"])
    answer = action()
    after = dict(counted(proxy), backend_errors=proxy.authban()["backend_errors"])
    moved = {name: after[name] - before[name] for name in after if name != "entries"}
    return answer, {name: step for name, step in moved.items() if step}


@pytest.mark.parametrize("name", GUESSES)
def test_a_guess_counts_once_in_any_disguise(watched, name):
    proxy, guesser = watched
    challenge = guesser.challenge()
    # a password of its own: the same answer twice would be one attempt
    header = guesser.answer_header(challenge, "wrong " + name)
    response, moved = change_of(proxy, lambda: guesser.send(GUESSES[name](*header, challenge)))
    moved.pop("malformed", None)
    print("\ndisguise %s: status=%d %s" % (name, response.status, moved))
    assert response.status == 401
    assert response.challenge().get("stale") is None
    assert moved == {"failures": 1}


def one_header(name, value, _):
    return [(name, value)]


def behind_a_good_nonce(name, value, challenge):
    """First credentials for another realm, with the token's own nonce; then the ones to be judged."""
    good = value.replace(foreign(challenge), challenge["nonce"]).replace('realm="sip.test', 'realm="x')
    return [(name, good), (name, value)]


@pytest.mark.parametrize("disguise", [one_header, behind_a_good_nonce])
def test_a_strangers_nonce_is_no_dead_database(watched, disguise):
    """It is asked again (stale=true). An attacker must not be able to say that our database is down."""
    proxy, guesser = watched
    challenge = guesser.challenge()
    name, value = guesser.answer_header(challenge, "wrong")
    value = value.replace(challenge["nonce"], foreign(challenge))
    response, moved = change_of(proxy, lambda: guesser.send(disguise(name, value, challenge)))
    print("\nstranger's nonce, %s: status=%d %s" % (disguise.__name__, response.status, moved))
    assert moved == {}
    assert response.status == 401
    assert response.challenge()["stale"].lower() == "true"

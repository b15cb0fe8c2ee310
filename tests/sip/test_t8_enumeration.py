# SPDX-License-Identifier: GPL-2.0-or-later
"""T8: neither an answer nor its time tells whether a user exists.

Time: auth_db itself takes longer for a known user (a row is read, a hash is compared). So two more registrars
are measured between: one without authban, and the same configuration with mode "off", which counts nothing.
"""
import os
import re
import statistics
import time

import pytest

from lib import peers
from lib.kamailio import REALM, Proxy, peer_config
from lib.lan import PROXY, address_of
from lib.sip import Guesser
from lib.svcrack import run_svwar

LONG = bool(os.environ.get("AUTHBAN_LONG"))
PAIRS = 10_000 if LONG else 1_500
ROUNDS = 5  # at most, on a machine that has other work
LIMIT_US = 5.0
HIGH = 10_000  # the largest threshold
EACH = 4_000   # pairs from one source, so that it stays below
KNOWN, UNKNOWN = "alice", "zelda"  # names of one length


def without_random_parts(response, user):
    """The answer with every random value replaced by as many x, and the user's name by u."""
    text = "\r\n".join([response.start] + ["%s: %s" % pair for pair in response.headers]) + repr(response.body)
    pattern = r'((?:nonce|opaque)="|;tag=|;branch=|call-id: |rport=|cseq: )([^";\r\n ]+)'
    text = re.sub(pattern, lambda m: m.group(1) + "x" * len(m.group(2)), text)
    return text.replace(user, "u" * len(user))


@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "SUBSCRIBE", "MESSAGE"])
@pytest.mark.parametrize("speech", ["real", "svcrack"])
def test_answers_do_not_tell_who_exists(lan, proxy5, method, speech):
    """Byte-equal but for nonce, token and tags: to a first request and to each guess before the ban."""
    answers = {}
    for user in (KNOWN, UNKNOWN):
        guesser = lan.guesser(proxy5, user, method=method, kind=speech, source_port=6000)
        guesser.call_id = "0123456789abcdef"
        got = [guesser.send()]
        for number in range(3):
            guesser.answer(got[-1].challenge(), "wrong-%d" % number)
            got.append(guesser.last)
        answers[user] = [without_random_parts(response, user).replace(address_of(guesser), "ip") for response in got]
    same = answers[KNOWN] == answers[UNKNOWN]
    print("\nT8 %s %s: equal=%s bytes=%s" % (method, speech, same, [len(a) for a in answers[KNOWN]]))
    assert same
    assert len(answers[KNOWN][1]) > 200


class Pairs:
    """Guesses at the known and at the unknown user by turns; seconds of each answer."""

    def __init__(self, proxy, lan):
        self.proxy, self.lan, self.took, self.number = proxy, lan, {KNOWN: [], UNKNOWN: []}, 0
        self.guesser = None

    def one(self):
        if self.number % EACH == 0:
            self.guesser = self.lan.guesser(self.proxy)
            self.challenge = self.guesser.challenge()
        # who comes first would profit or suffer from it
        order = (KNOWN, UNKNOWN) if self.number % 2 else (UNKNOWN, KNOWN)
        for user in order:
            header = self.guesser.answer_header(self.challenge, "wrong-%d" % self.number, user)
            data, link = self.guesser.build([header], user=user), self.guesser.link
            begin = time.perf_counter()
            link.send(data)
            answer = link.sock.recv(65535)
            self.took[user].append(time.perf_counter() - begin)
            assert answer.startswith(b"SIP/2.0 401")
        self.number += 1

    def difference(self):
        """(trimmed mean of the differences in us, its standard error): the slowest and fastest tenths left out."""
        pairs = sorted(1e6 * (k - u) for k, u in zip(self.took[KNOWN], self.took[UNKNOWN]))
        tenth = len(pairs) // 10
        middle = pairs[tenth:-tenth]
        # of a trimmed mean: by the winsorized deviation (Tukey, McLaughlin 1963)
        whole = [middle[0]] * tenth + middle + [middle[-1]] * tenth
        return statistics.fmean(middle), statistics.stdev(whole) / (0.8 * len(pairs) ** 0.5)


@pytest.fixture(scope="module")
def three(lan):
    """{name: proxy}, one worker each"""
    one = {"children": 1}
    made = {"on": lan.proxy(AB_THRESHOLD=HIGH, settings=one), "off": lan.proxy(AB_MODE="off", settings=one)}
    bare = Proxy(config=peer_config("plain"), host=PROXY, port=next(lan.ports), netns=lan.net["proxy"], children=1)
    lan.keep(bare)
    return dict(made, bare=bare.start())


def more_pairs(pairs):
    for _ in range(PAIRS):
        for one in pairs.values():
            one.one()
    return {name: one.difference() for name, one in pairs.items()}


@pytest.mark.alone
def test_time_does_not_tell_who_exists(lan, three):
    pairs = {name: Pairs(proxy, lan) for name, proxy in three.items()}
    for _ in range(ROUNDS):
        found = more_pairs(pairs)
        (on, on_error), (off, off_error), (bare, bare_error) = found["on"], found["off"], found["bare"]
        doubt = max((on_error ** 2 + other ** 2) ** 0.5 for other in (off_error, bare_error))
        if doubt < LIMIT_US / 3:
            break
    print("\nT8 time: pairs=%d known minus unknown: registrar alone %+.2f us, authban off %+.2f us, on %+.2f us;"
          " counting adds %+.2f us (standard error %.2f us)" % (PAIRS, bare, off, on, on - off, doubt))
    assert three["on"].authban()["failures"] == 2 * pairs["on"].number
    assert doubt < LIMIT_US / 2, "too noisy a machine to say anything"
    assert abs(on - off) < LIMIT_US, "counting depends on who exists"
    assert abs(on) < abs(bare) + LIMIT_US, "it tells more than the registrar alone does"


TALKATIVE = """
route[PROTECT] {
	if ($tU != "1003" && $tU != "1005") {
		sl_send_reply("404", "Not Found");
		exit;
	}
}
"""
EXTENSIONS = [("1003", "a-secret"), ("1005", "a-secret")]


@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "OPTIONS"])
def test_svwar_finds_nobody(lan, method):
    """The real svwar at 1000..1020, of which two exist."""
    proxy = lan.proxy(AB_THRESHOLD=5, settings={"users": EXTENSIONS})
    found = run_svwar(proxy.target, "1000-1020", method, netns=lan.net["attacker"])
    print("\nT8 svwar %s: found=%s says=%s" % (method, found.users, found.last))
    assert found.ended and not found.users


def test_control_svwar_finds_them_at_a_talkative_registrar(lan, tmp_path):
    """404 for those who do not exist, as many registrars say."""
    path = tmp_path / "talkative.cfg"
    with open(peer_config("plain"), encoding="utf-8") as text:
        config = text.read()
    config = re.sub(r"route\[PROTECT\] \{.*?\n\}\n", lambda _: TALKATIVE, config, flags=re.S)
    path.write_text(config.replace('"registrar.cfg"', '"%s"' % peer_config("registrar")))
    proxy = lan.proxy(settings={"config": str(path), "users": EXTENSIONS, "realm": REALM})
    found = run_svwar(proxy.target, "1000-1020", "REGISTER", netns=lan.net["attacker"])
    peers.figure("T8", "a registrar that says 404", svwar_found=len(found.users), existing=len(EXTENSIONS))
    assert sorted(found.users) == ["1003", "1005"]

# SPDX-License-Identifier: GPL-2.0-or-later
"""T9: floods of packets with a forged source address ban nobody, count nothing, and store nothing.

The peers' usual configurations ban the victim of the same packets: see test_peer_controls.py. Forged
packets bring the wrong passwords that an attacker can make off the path: he sees no answer to the victim.
"""
import itertools
import threading

import pytest

from lib.clock import Clock
from lib.lan import address_of
from lib.rawudp import Forger
from lib.sip import Guesser
from lib.wait import holds_for, wait_for

PACKETS, RATE, DIFFERENT = 10_000, 2_000, 500
LIFE = 1 + 30  # of a token: auth's nonce_expire and 30 s
STEP = 64  # seconds to which its end is rounded up (AB_TOKEN_STEP)
PHONE_PORT = 5099  # from which the forged packets pretend to come


class RegularPhone(threading.Thread):
    """The victim's own phone: registers all the time and remembers what became of it."""

    def __init__(self, phone):
        super().__init__(daemon=True)
        self.phone, self.done, self.results = phone, threading.Event(), []

    def run(self):
        while not self.done.wait(0.15):
            self.results.append(self.phone.register())

    def stop(self):
        self.done.set()
        self.join(20)
        assert not self.is_alive()


class Scene:
    """The proxy, the victim's address with its phone, the attacker and the packets he can make."""

    def __init__(self, lan):
        self.clock = lan.keep(Clock())
        # nonces are old after a second, and so is the victim's token soon after
        self.proxy = lan.proxy(AB_THRESHOLD=5, settings={
            "extra": 'modparam("auth", "nonce_expire", 1)', **self.clock.settings})
        self.phone = RegularPhone(lan.phone(self.proxy))
        self.victim = address_of(self.phone.phone)
        self.attacker = lan.guesser(self.proxy)
        # Sees what the victim sees; only to get the token that is to expire.
        self.at_victim = Guesser("alice", self.proxy.target, source=self.victim, netns=lan.net["phone"],
                                 timeout=3)
        self.old_challenge = self.at_victim.challenge()
        self.forger = Forger(lan.net["attacker"])

    def close(self):
        self.forger.close()
        self.at_victim.close()

    def guess(self, number, challenge, count=1):
        header = self.attacker.answer_header(challenge, "wrong-%d" % number, count=count)
        return self.attacker.build([header])

    def guesses(self, challenge, **more):
        return [self.guess(number, challenge, **more) for number in range(DIFFERENT)]

    def flood(self, payloads):
        """PACKETS of them in the victim's name; how many went out."""
        packets = itertools.islice(itertools.cycle(payloads), PACKETS)
        return self.forger.send((self.victim, PHONE_PORT), self.proxy.target, packets, rate=RATE)

    def judged(self):
        """What must not move (failures, entries, bans, known sources) and what must (unproven, checked)."""
        status = self.proxy.rpc("authban.status")
        now = self.proxy.authban()
        still = {name: now[name] for name in ("failures", "malformed", "bans", "entries", "blocked")}
        still["status entries"] = status["entries"]
        return still, now["unproven"], now["checked"]


@pytest.fixture(scope="module")
def scene(lan):
    made = Scene(lan)
    try:
        assert made.phone.phone.register().status == 200
        made.phone.start()
        yield made
        made.phone.stop()
    finally:
        made.phone.done.set()
        made.close()


def forge(scene, name, payloads, with_credentials=True):
    """Flood, then compare; the phone has registered all along."""
    still, unproven, checked = scene.judged()
    registered = len(scene.phone.results)
    sent = scene.flood(payloads)
    # The last packets may still wait in the socket.
    wait_for(lambda: scene.judged()[2] - checked >= 0.9 * sent, 10, "the forged packets arrive")
    results = scene.phone.results[registered:]
    after, unproven_now, checked_now = scene.judged()
    good = sum(result.status == 200 for result in results)
    print("\nT9 %s: forged=%d arrived=%d unproven=%d failures=+%d entries=+%d bans=%d victim=%d/%d" % (
        name, sent, checked_now - checked, unproven_now - unproven,
        after["failures"] - still["failures"], after["entries"] - still["entries"],
        len(scene.proxy.bans()), good, len(results)))
    assert sent == PACKETS
    assert after == still
    assert not scene.proxy.bans()
    assert results and good == len(results)
    if with_credentials:
        assert unproven_now - unproven >= 0.9 * sent
    else:
        assert unproven_now == unproven


def test_no_credentials(scene):
    forge(scene, "no credentials", [scene.attacker.build() for _ in range(DIFFERENT)], with_credentials=False)


def test_a_nonce_that_the_attacker_made_up(scene):
    """With a token of the right length, and without any."""
    challenge = scene.attacker.challenge()
    made_up = dict(challenge, nonce="A" * len(challenge["nonce"]), opaque="A" * len(challenge["opaque"]))
    forge(scene, "made-up nonce", scene.guesses(made_up) + scene.guesses(dict(made_up, opaque=None)))


def test_a_nonce_and_token_of_the_attackers_own_address(scene):
    forge(scene, "own nonce and token", scene.guesses(scene.attacker.challenge()))


def test_an_own_nonce_without_a_token(scene):
    forge(scene, "own nonce, no token", scene.guesses(dict(scene.attacker.challenge(), opaque=None)))


def test_an_own_nonce_with_nonce_counts(scene):
    """Each packet a new count, as if the victim used the attacker's nonce again and again."""
    challenge = dict(scene.attacker.challenge(), qop="auth")
    forge(scene, "own nonce and nc", [scene.guess(n, challenge, count=n + 1) for n in range(DIFFERENT)])


def test_a_token_of_the_victim_that_has_expired(scene):
    """What an attacker may have seen long ago. (One who sees valid tokens is on the path.)"""
    assert scene.old_challenge["opaque"]
    scene.clock.advance(LIFE + STEP + 1)
    forge(scene, "expired token", scene.guesses(scene.old_challenge))


def test_the_same_packets_count_at_the_attackers_own_address(scene):
    """The other side of the coin: with an address that can answer, five of them are a ban."""
    challenge = wait_for(scene.attacker.challenge, 10, "a challenge")
    statuses = [scene.attacker.answer(challenge, "wrong-%d" % n) for n in range(5)]
    assert scene.attacker.challenge() is None
    assert list(scene.proxy.bans()) == [address_of(scene.attacker)]
    assert statuses[-1] == 0
    holds_for(lambda: scene.phone.phone.last and scene.phone.results[-1].status == 200, 0.5, "the victim is served")
    total = scene.phone.results
    print("\nT9 own address: statuses=%s banned=%d victim=%d/%d" % (
        statuses, len(scene.proxy.bans()), sum(r.status == 200 for r in total), len(total)))

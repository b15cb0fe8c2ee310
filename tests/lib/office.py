# SPDX-License-Identifier: GPL-2.0-or-later
"""Honest phones that go on while an attack runs, and phones and attackers that try once in simulated time."""
import os
import threading

from .attacks import CHALLENGED, new_password
from .crowd import Crowd

LONG = bool(os.environ.get("AUTHBAN_LONG"))
# what the figures of the threat table are made with; all others are defaults
LIMITS = {"AB_THRESHOLD": 5, "AB_NET_SOURCES": 8, "AB_USER_SOURCES": 20}
QUIET = 3.0  # seconds without any answer after which a request is lost; no retransmissions


def users(count, name="phone"):
    """[(user, password)]"""
    return [("%s-%d" % (name, number), "secret-%d" % number) for number in range(count)]


def figure(threat, **figures):
    print("\n%s authban: %s" % (threat, " ".join("%s=%s" % pair for pair in figures.items())))


def tries(crowd, members, password=None, rate=2000, quiet=0.3):
    """Each fetches a challenge and answers it once: their statuses, 0 when banned.

    password: what all of them say; default: their own. "new": a new guess each.
    """
    for member in members:
        member.challenge = None
    crowd.ask(members, rate=rate, quiet=quiet)
    able = [member for member in members if member.challenge]
    requests = [member.request(new_password() if password == "new" else password) for member in able]
    answers = crowd.exchange(requests, rate=rate, quiet=quiet)
    found = {id(member): member.take(answers.get(key)) for member, (_, _, key) in zip(able, requests)}
    return [found.get(id(member), 0) for member in members]


def answered(statuses):
    """How many were told "wrong"."""
    return sum(status in CHALLENGED for status in statuses)


class Office:
    """Phones that register again and again: `phones` are (source, user, password).

    `with Office(...) as office:` they have registered once, and go on until the block ends.
    """

    def __init__(self, target, netns, phones, rate=500):
        self.crowd, self.rate = Crowd(target, netns), rate
        self.phones = [self.crowd.member(*phone) for phone in phones]
        self.requests = self.served = self.credentials = 0
        self.unlucky, self.error, self.ended = set(), None, threading.Event()
        self.thread = threading.Thread(target=self._go_on)

    def ask(self, phones):
        """One REGISTER of each, and a second one for those with a new nonce."""
        statuses = self._once(phones)
        again = [phone for phone, status in zip(phones, statuses) if status in CHALLENGED]
        second = dict(zip(map(id, again), self._once(again)))
        for phone, status in zip(phones, statuses):
            self.requests += 1
            if second.get(id(phone), status) == 200:
                self.served += 1
            else:
                self.unlucky.add(phone.user)

    def _once(self, phones):
        self.credentials += sum(phone.challenge is not None for phone in phones)
        return self.crowd.ask(phones, rate=self.rate, quiet=QUIET) if phones else []

    def round(self):
        for begin in range(0, len(self.phones), 25):
            self.ask(self.phones[begin:begin + 25])

    def _go_on(self):
        try:
            while not self.ended.is_set():
                for begin in range(0, len(self.phones), 25):
                    self.ask(self.phones[begin:begin + 25])
                    if self.ended.is_set():
                        break
            self.round()
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def __enter__(self):
        try:
            self.round()
            assert not self.unlucky, "before the attack: %s" % sorted(self.unlucky)[:5]
        except BaseException:
            self.crowd.close()
            raise
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join(60)
        self.crowd.close()
        if self.error:
            raise self.error

    def figures(self):
        return {"good_phones": len(self.phones), "good_requests": self.requests, "served": self.served,
                "phones_that_lost": len(self.unlucky)}

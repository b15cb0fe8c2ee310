# SPDX-License-Identifier: GPL-2.0-or-later
"""Phones and attackers for tests, in any namespace and from any address."""
import time

from . import SCRIPTS  # noqa: F401 (puts scripts/ on the path)
from .kamailio import REALM
from .netns import inside
import phone
import sipmsg
from phone import Result  # noqa: F401
from sipmsg import Response, credentials, malformed_credentials, request  # noqa: F401


class Link(phone.Link):
    """A socket to the proxy, made inside a namespace when one is given."""

    def __init__(self, target, source=None, transport="udp", source_port=0, timeout=2.0, netns=None):
        with inside(netns):
            super().__init__(target, source, transport, source_port, timeout)


class Phone(phone.Phone):
    """The honest phone of scripts/phone.py: Phone("alice", "secret", proxy.target, source="127.0.0.2")."""

    def __init__(self, user, password, target, source=None, transport="udp", domain=REALM,
                 source_port=0, timeout=2.0, netns=None):
        link = Link(target, source, transport, source_port, timeout, netns)
        super().__init__(user, password, domain, target, link=link)


class Guesser:
    """Tries passwords: guess("wrong") fetches a challenge and answers it once.

    kind "real": as a phone does; "svcrack": malformed to a challenge without qop, as svcrack does.
    Silence (a ban) is status 0 after `timeout`. Nothing is sent twice: attackers do not wait.
    """

    def __init__(self, user, target, source=None, transport="udp", domain=REALM, method="REGISTER",
                 kind="real", timeout=0.3, netns=None, source_port=0, to_tag=None):
        self.user, self.domain, self.method, self.kind = user, domain, method, kind
        self.link = Link(target, source, transport, source_port, timeout, netns)
        self.timeout, self.to_tag = timeout, to_tag
        self.call_id, self.cseq, self.guesses = sipmsg.new_token(), 0, 0

    def close(self):
        self.link.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def uri(self):
        user = "" if self.method == "REGISTER" else self.user + "@"
        return "sip:" + user + self.domain

    def build(self, headers=(), method=None, user=None):
        """The bytes of one request; also for rawudp."""
        method = method or self.method
        me = "sip:%s@%s" % (user or self.user, self.domain)
        self.cseq += 1
        return request(method, self.uri, me, me, self.link.local, self.link.transport.upper(),
                       self.call_id, self.cseq, None, self.to_tag, headers)

    def send(self, headers=(), user=None):
        """One request, one response or None."""
        data = self.build(headers, user=user)
        self.link.send(data)
        return self.link.receive(time.monotonic() + self.timeout, self.call_id, self.cseq)

    def challenge(self):
        """A fresh challenge, or None when nobody answers."""
        response = self.send()
        return response.challenge() if response else None

    def answer_header(self, challenge, password, user=None, count=1, opaque=True):
        """(header, value) of one guess; opaque=False leaves the token out."""
        user = user or self.user
        if self.kind == "svcrack" and not challenge.get("qop"):
            return malformed_credentials(challenge, user, password, self.method, self.uri)
        return credentials(challenge, user, password, self.method, self.uri, count, opaque)

    def answer(self, challenge, password="wrong", user=None, count=1, opaque=True):
        """One guess with a given challenge: the status, 0 for silence."""
        self.guesses += 1
        response = self.send([self.answer_header(challenge, password, user, count, opaque)], user)
        self.last = response
        return response.status if response else 0

    def guess(self, password="wrong", user=None):
        """Challenge and one guess: the status, 0 for silence (at either of the two)."""
        challenge = self.challenge()
        return self.answer(challenge, password, user) if challenge else 0

    def guess_until_silent(self, limit=100):
        """Guess until nobody answers, at most `limit` times: how many guesses were answered."""
        for number in range(limit):
            if not self.guess("wrong-%d" % number):
                return number
        return limit

# SPDX-License-Identifier: GPL-2.0-or-later
"""Attackers that do not wait for answers, honest phones with a stop watch."""
import contextlib
import itertools
import time

from .sip import Guesser, Phone
from .wait import wait_for


def percentile(values, part):
    """Nearest rank, of a list that is not empty."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def spread(seconds):
    """"p50=0.8ms p99=1.9ms"."""
    return "p50=%.2fms p99=%.2fms" % (1e3 * percentile(seconds, 0.5), 1e3 * percentile(seconds, 0.99))


def paced(count, rate):
    """0, 1, 2, ... at a rate; the pace is part of the load."""
    start = time.monotonic()
    for number in range(count):
        ahead = start + number / rate - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        yield number


def evaluated(nodes):
    return sum(node.evaluated() for node in nodes)


def failures(nodes):
    """Wrong passwords that were counted. Unlike evaluated() it does not see phones that register meanwhile."""
    return sum(node.authban()["failures"] for node in nodes)


def looked_at(nodes, judged=evaluated):
    """Guesses that were evaluated or blocked; those of others too."""
    return judged(nodes) + sum(node.authban()["blocked"] for node in nodes)


# No password twice: the same answer to the same challenge is one attempt.
PASSWORDS = itertools.count()


class RoundRobin:
    """One source, one guess to each proxy in turn, with challenges fetched beforehand.

    It sends on without looking at the answers, so nothing slows it down: the strongest attack. judged=failures
    where phones register meanwhile.
    """

    def __init__(self, nodes, source, user="alice", judged=evaluated):
        self.nodes, self.stack, self.number, self.judged = nodes, contextlib.ExitStack(), 0, judged
        self.guessers = [self.stack.enter_context(Guesser(user, node.target, source=source, timeout=2.0, netns=node.netns))
                         for node in nodes]
        self.challenges = [guesser.challenge() for guesser in self.guessers]
        assert all(self.challenges), "no challenge for %s: banned already?" % source

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()

    def send(self, count, rate=150):
        """Guess; returns how many were evaluated in sum, once every one was looked at."""
        seen, before = looked_at(self.nodes, self.judged), self.judged(self.nodes)
        for _ in paced(count, rate):
            turn = self.number % len(self.guessers)
            guesser = self.guessers[turn]
            header = guesser.answer_header(self.challenges[turn], "wrong-%d" % next(PASSWORDS))
            guesser.link.send(guesser.build([header]))
            self.number += 1
        wait_for(lambda: looked_at(self.nodes, self.judged) >= seen + count, 5, "all guesses are looked at")
        return self.judged(self.nodes) - before


class Honest:
    """`with Honest(nodes) as honest: honest.run(200)`: a phone of bob at each proxy, in turn."""

    def __init__(self, nodes, source="127.0.1.1"):
        self.stack = contextlib.ExitStack()
        self.phones = [self.stack.enter_context(Phone("bob", "bob-secret", node.target, source=source, netns=node.netns))
                       for node in nodes]

    def __enter__(self):
        for phone in self.phones:
            assert phone.register().status == 200
        return self

    def __exit__(self, *_):
        self.stack.close()

    def run(self, count=200, rate=100):
        """(answered with 200, seconds of each)."""
        good, took = 0, []
        for number in paced(count, rate):
            begin = time.monotonic()
            good += self.phones[number % len(self.phones)].register().status == 200
            took.append(time.monotonic() - begin)
        return good, took


def answers(node, source, timeout=0.4):
    """Whether the proxy answers this source at all; silence means blocked."""
    with Guesser("alice", node.target, source=source, timeout=timeout, netns=node.netns) as guesser:
        return guesser.challenge() is not None


def silent(node, source):
    """Blocked for sure: the module says that it dropped what we sent."""
    before = node.authban()["blocked"]
    return not answers(node, source, 0.2) and node.authban()["blocked"] > before

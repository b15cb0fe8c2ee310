# SPDX-License-Identifier: GPL-2.0-or-later
"""The attacks of the threat table, and the honest crowds that look like one; each returns its figures.

They know nothing of authban or its peers, so the same attack goes against all of them: a target
(host, port), the namespace that it comes from, numbers of sources, users, guesses and pace. What was
evaluated, banned or stored is asked of the proxy by the caller. Silence is status 0.
"""
import concurrent.futures
import contextlib
import itertools
import socket
import time

from .crowd import Crowd
from .netns import inside
from .sip import Guesser, Phone
from .svcrack import run_svcrack
from .traffic import paced

# No password twice: the same answer to the same challenge is one attempt.
_NUMBERS = itertools.count()
CHALLENGED = (401, 407)


def new_password():
    return "wrong-%d" % next(_NUMBERS)


def guesses_from_many(target, netns, sources, users, each=1, rate=500, password=None,
                      pause=0.0):
    """T3, T4, T6, T17: every source guesses `each` times, one round after the other; users by turns.

    password: the same one each time (a phone that was not told of a new one); default: a new guess.
    pause: seconds from the begin of a round to the next, at the least.
    """
    turn, sent, answered, asked = itertools.cycle(users), 0, 0, 0
    with Crowd(target, netns) as crowd:
        for _ in paced(each, 1 / pause if pause else 1e9):
            members = [crowd.member(source, next(turn), password) for source in sources]
            crowd.ask(members, rate=rate)
            able = [member for member in members if member.challenge]
            for member in able:
                member.password = password or new_password()
            statuses = crowd.ask(able, rate=rate)
            asked += len(members)
            sent += len(able)
            answered += sum(status in CHALLENGED for status in statuses)
    return {"sources": len(sources), "tried": asked, "sent": sent, "answered": answered}


def old_passwords(target, netns, sources, tries=8, rate=500, pause=1.1):
    """T17: phones whose passwords were changed at the provider, each with its own user and address.

    auth's nonces change each second: within one, the same password is the same answer and one attempt.
    """
    users = ["changed-%d" % number for number in range(len(sources))]
    return guesses_from_many(target, netns, sources, users, tries, rate, "the old one", pause)


def first_silence(guess, limit):
    """guess(number) until nobody answers: the number of that guess, counted from 1; None: never."""
    for number in range(1, limit + 1):
        if not guess(number):
            return number
    return None


def own_account(target, netns, source, own, user="alice", guesses=20, every=4, timeout=1.5):
    """T12: guesses at `user`, and one good login of `own` (name, password) before each `every`-th."""
    logins = []
    with Guesser(user, target, source=source, netns=netns, timeout=timeout) as guesser, \
            Phone(*own, target, source=source, netns=netns, timeout=timeout) as phone:

        def guess(number):
            if number % every == 0:
                logins.append(phone.register().status)
            return guesser.guess(new_password())

        silent = first_silence(guess, guesses)
    return {"guesses": silent or guesses, "silent_at": silent, "logins": sum(s == 200 for s in logins)}


def free_requests(target, netns, source, method, between=1000, user="alice", guesses=20, timeout=1.5,
                  with_credentials=False, rate=4000):
    """T13: `between` requests of a method that needs no password before each guess."""
    sent = 0
    with Guesser(user, target, source=source, netns=netns, timeout=timeout) as guesser:

        def guess(_):
            nonlocal sent
            challenge = guesser.challenge() if with_credentials else None
            for _ in paced(between, rate):
                headers = [guesser.answer_header(challenge, new_password())] if challenge else []
                guesser.link.send(guesser.build(headers, method=method))
                sent += 1
            while guesser.link.receive(time.monotonic() + 0.1):
                pass  # what was said to the free ones
            return guesser.guess(new_password())

        silent = first_silence(guess, guesses)
    return {"guesses": silent or guesses, "silent_at": silent, "free": sent}


def register_all(crowd, phones, rate=200, tries=3, quiet=0.5):
    """Honest phones register, as many round trips as it takes: their last statuses."""
    statuses = crowd.ask(phones, rate=rate, tries=tries, quiet=quiet)
    again = [phone for phone, status in zip(phones, statuses) if status in CHALLENGED]
    second = dict(zip(map(id, again), crowd.ask(again, rate=rate, tries=tries, quiet=quiet)))
    return [second.get(id(phone), status) for phone, status in zip(phones, statuses)]


class _Served:
    """How honest phones behind one address fare: requests, served, and phones that lost one."""

    def __init__(self):
        self.requests, self.served, self.unlucky = 0, 0, set()

    def add(self, statuses):
        self.requests += len(statuses)
        self.served += sum(status == 200 for status in statuses)
        self.unlucky |= {number for number, status in enumerate(statuses) if status != 200}

    def figures(self):
        return {"good_requests": self.requests, "served": self.served, "phones_that_lost": len(self.unlucky)}


def _bad_tries(crowd, phone, tries):
    """A phone with a wrong password tries again and again: how many of its guesses were answered."""
    answered = 0
    for _ in range(tries):
        phone.challenge, phone.password = None, new_password()
        if crowd.ask([phone], quiet=0.3) == [0]:
            break
        answered += crowd.ask([phone], quiet=0.3)[0] in CHALLENGED
    return answered


def bad_phone(target, netns, source, good, bad="carol", rounds=8, tries=1, rate=200):
    """T14: one phone with a wrong password and `good` [(user, password)] behind one address.

    In each round the bad one tries so many times, after the first half of the good ones.
    """
    served, bad_answered = _Served(), 0
    with Crowd(target, netns) as crowd:
        phones = [crowd.member(source, *user) for user in good]
        broken, half = crowd.member(source, bad), len(phones) // 2
        for _ in range(rounds):
            first = register_all(crowd, phones[:half], rate, tries=1)
            bad_answered += _bad_tries(crowd, broken, tries)
            served.add(first + register_all(crowd, phones[half:], rate, tries=1))
    return dict(served.figures(), good=len(good), bad_tries=rounds * tries, bad_answered=bad_answered)


def crack_inside(target, netns, source, good, user="alice", guesses=1000, seconds=8, rounds=None, rate=200):
    """T15: the real svcrack behind the same address as `good` phones, which register all along.

    rate: of the phones' requests. `source` must be what the namespace sends from by itself: svcrack cannot choose.
    """
    served, count = _Served(), 0
    with Crowd(target, netns) as crowd, concurrent.futures.ThreadPoolExecutor(1) as pool:
        phones = [crowd.member(source, *one) for one in good]
        served.add(register_all(crowd, phones, rate))
        job = pool.submit(run_svcrack, target, user, range(1000, 1000 + guesses), netns=netns,
                          deadline=seconds)
        while not job.done() and (rounds is None or count < rounds):
            served.add(register_all(crowd, phones, rate, tries=1))
            count += 1
        crack = job.result()
    return dict(served.figures(), good=len(good), guesses_sent=crack.sent, cracked=crack.cracked)


def office_returns(target, netns, source, phones, seconds=2.0):
    """T16: all `phones` [(user, password)] of one address register within so many seconds."""
    served = _Served()
    with Crowd(target, netns) as crowd:
        members = [crowd.member(source, *phone) for phone in phones]
        served.add(register_all(crowd, members, rate=len(members) / seconds))
    return dict(served.figures(), phones=len(phones))


def flood(target, netns, source, payloads, rate=6000):
    """T20: sends them all and waits for nothing."""
    with inside(netns):
        sock = socket.socket(socket.AF_INET6 if ":" in target[0] else socket.AF_INET, socket.SOCK_DGRAM)
    with contextlib.closing(sock):
        sock.bind((source, 0))
        sock.connect(target)
        begin = time.monotonic()
        for _, payload in zip(paced(len(payloads), rate), payloads):
            with contextlib.suppress(ConnectionRefusedError):
                sock.send(payload)
        return {"sent": len(payloads), "seconds": time.monotonic() - begin}


def burst(target, netns, source, user="alice", guesses=100, rate=150, quiet=0.5):
    """T28: guesses with one challenge, sent on without looking at the answers, as svcrack's pace or faster."""
    with Crowd(target, netns) as crowd:
        member = crowd.member(source, user)
        crowd.ask([member])
        assert member.challenge, "no challenge: banned already?"
        answers = crowd.exchange([member.request(new_password()) for _ in range(guesses)], rate, quiet=quiet)
    return {"sent": guesses, "answered": len(answers)}

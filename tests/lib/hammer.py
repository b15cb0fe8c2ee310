# SPDX-License-Identifier: GPL-2.0-or-later
"""What arrives while a proxy stops and starts: packets of a banned source, and attackers all the time."""
import itertools
import threading

from .sip import Guesser
from .traffic import paced


class Hammer:
    """A banned source that sends while the proxy starts, from before its socket exists."""

    def __init__(self, node, source):
        self.guesser = Guesser("alice", node.target, source=source)
        self.guesser.link.sock.setblocking(False)
        self.ending = threading.Event()
        self.sent = self.heard = 0
        self.thread = threading.Thread(target=self._run)

    def _send(self):
        try:
            self.guesser.link.send(self.guesser.build())
            self.sent += 1
        except ConnectionRefusedError:
            pass  # nobody listens yet

    def _listen(self):
        try:
            self.heard += bool(self.guesser.link.sock.recv(65535))
        except (BlockingIOError, ConnectionRefusedError):
            pass

    def _run(self):
        for _ in paced(20000, 1000):
            if self.ending.is_set():
                break
            self._send()
            self._listen()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()
        self._listen()
        self.guesser.close()


class Attackers:
    """New sources all the time, each with as many guesses as ban it; also while nobody answers."""

    def __init__(self, node, threshold, net="127.40"):
        self.node, self.threshold, self.net = node, threshold, net
        self.ending = threading.Event()
        self.guesses, self.thread = 0, threading.Thread(target=self._run)

    def _one(self, number):
        source = "%s.%d.%d" % (self.net, number % 200, number // 200 % 250 + 1)
        with Guesser("user-%d" % number, self.node.target, source=source, timeout=0.05) as guesser:
            for attempt in range(self.threshold):
                self.guesses += guesser.guess("wrong-%d" % attempt) > 0

    def _run(self):
        for number in itertools.count():
            if self.ending.is_set():
                break
            try:
                self._one(number)
            except OSError:
                pass  # nobody listens
            self.ending.wait(0.002)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()

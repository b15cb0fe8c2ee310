# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts whose frames a process of ours carries: late, slowly, or not at all. It needs no netem in the kernel."""
import ctypes
import fcntl
import heapq
import itertools
import multiprocessing
import random
import select
import socket
import struct
import time

from .netns import Net, _ip, inside

_SIOCETHTOOL = 0x8946
_OFFLOADS = (0x17, 0x1f, 0x24)  # checksums, segmentation (TSO, GSO): frames have to be whole
_OUTGOING = 4  # a frame that we sent ourselves
_QUEUE = 1000  # frames, as netem has it


def _set_up(name):
    """No offloads on eth0 of a namespace."""
    with inside(name), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for what in _OFFLOADS:
            value = ctypes.create_string_buffer(struct.pack("=II", what, 0), 8)
            fcntl.ioctl(sock, _SIOCETHTOOL, struct.pack("=16sQ16x", b"eth0", ctypes.addressof(value)))


class _Leg:
    """What leaves one host: a rule and a queue."""

    def __init__(self, sock):
        self.sock, self.delay, self.jitter, self.rate, self.loss = sock, 0.0, 0.0, 0.0, 0.0
        self.free, self.last, self.waiting = 0.0, 0.0, 0

    def due(self, size, now):
        """When a frame arrives, or None: it is lost. In order."""
        if random.random() < self.loss or self.waiting >= _QUEUE:
            return None
        if self.rate:
            self.free = max(now, self.free) + 8 * size / self.rate
            now = self.free
        self.last = max(self.last, now + self.delay + random.uniform(-self.jitter, self.jitter))
        return self.last


class _Carrier:
    def __init__(self, socks, pipe):
        self.legs, self.pipe = [_Leg(sock) for sock in socks], pipe
        self.where, self.queue, self.number = {}, [], itertools.count()

    def run(self):
        poll = select.poll()
        by_fd = {leg.sock.fileno(): leg for leg in self.legs}
        for fd in (*by_fd, self.pipe.fileno()):
            poll.register(fd, select.POLLIN)
        while True:
            wait = max(0.0, self.queue[0][0] - time.monotonic()) if self.queue else 1.0
            for fd, _ in poll.poll(1e3 * wait):
                if fd in by_fd:
                    self.take(by_fd[fd])
                elif not self.order():
                    return
            self.deliver()

    def order(self):
        """A new rule for a leg; False: the end."""
        try:
            number, rule = self.pipe.recv()
        except EOFError:
            return False
        for name, value in rule.items():
            setattr(self.legs[number], name, value)
        self.pipe.send("done")
        return True

    def take(self, leg):
        for _ in range(64):
            try:
                frame, address = leg.sock.recvfrom(65536, socket.MSG_DONTWAIT)
            except OSError:
                return
            if address[2] == _OUTGOING:
                continue
            self.where[frame[6:12]] = leg
            due = leg.due(len(frame), time.monotonic())
            if due is not None:
                leg.waiting += 1
                heapq.heappush(self.queue, (due, next(self.number), leg, frame))

    def deliver(self):
        now = time.monotonic()
        while self.queue and self.queue[0][0] <= now:
            _, _, leg, frame = heapq.heappop(self.queue)
            leg.waiting -= 1
            to = self.where.get(frame[:6])
            for other in [to] if to else [other for other in self.legs if other is not leg]:
                try:
                    other.sock.send(frame)
                except OSError:
                    pass


class SlowNet(Net):
    """As Net. `net.rule("a", delay=0.3, jitter=0.05, rate=64e3)`, `loss=1.0`: what leaves the host a.

    delay and jitter in seconds, rate in bits a second (0: no limit), loss a share.
    """

    def __enter__(self):
        super().__enter__()
        try:
            socks = [self._port(number, host) for number, host in enumerate(self.hosts)]
            context = multiprocessing.get_context("fork")
            self.pipe, theirs = context.Pipe()
            self.carrier = context.Process(target=self._carry, args=(socks, theirs), daemon=True)
            self.carrier.start()
            theirs.close()
            for sock in socks:
                sock.close()
        except BaseException:
            self.close()
            raise
        return self

    def _carry(self, socks, theirs):
        self.pipe.close()
        _Carrier(socks, theirs).run()

    def _port(self, number, host):
        """A socket at the other end of a host's cable, which is taken off the bridge."""
        _set_up(self[host])
        port = "p%d" % number
        _ip("-n", self["switch"], "link", "set", port, "nomaster")
        with inside(self["switch"]):
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            sock.bind((port, 0))
        return sock

    def rule(self, host, delay=0.0, jitter=0.0, rate=0.0, loss=0.0):
        self.pipe.send((list(self.hosts).index(host), dict(delay=delay, jitter=jitter, rate=rate, loss=loss)))
        assert self.pipe.poll(5) and self.pipe.recv() == "done"

    def close(self):
        if getattr(self, "carrier", None):
            self.pipe.close()
            self.carrier.join(2)
            self.carrier.kill()
            self.carrier = None
        super().close()

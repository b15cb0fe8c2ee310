# SPDX-License-Identifier: GPL-2.0-or-later
"""A name server that knows one name, or is silent; and hosts that ask it."""
import contextlib
import os
import shutil
import socket
import struct
import threading

from .netns import inside

NETNS = "/etc/netns"  # `ip netns exec NAME` shows its files as those of /etc


class NameServer:
    """`with NameServer(netns, "10.0.0.9", "redis.test", "10.0.0.1") as names: names.silent = True`."""

    def __init__(self, netns, host, name, address):
        with inside(netns):
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((host, 53))
        self.sock.settimeout(0.1)
        self.name = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
        self.address, self.silent, self.asked = socket.inet_aton(address), False, 0
        self.ending, self.thread = threading.Event(), threading.Thread(target=self._serve)

    def _serve(self):
        while not self.ending.is_set():
            try:
                query, asker = self.sock.recvfrom(2048)
            except socket.timeout:
                continue
            self.asked += 1
            if not self.silent:
                self.sock.sendto(self._answer(query), asker)

    def _answer(self, query):
        end = query.index(b"\0", 12) + 1
        known = query[12:end].lower() == self.name
        is_a = query[end:end + 2] == b"\0\1"
        head = query[:2] + struct.pack("!HHHHH", 0x8180 if known else 0x8183, 1, int(known and is_a), 0, 0)
        record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 0, 4) + self.address
        return head + query[12:end + 4] + (record if known and is_a else b"")

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join(5)
        self.sock.close()


@contextlib.contextmanager
def asks(netns, server):
    """Programs that are started in this namespace ask this name server."""
    folder, made = os.path.join(NETNS, netns), not os.path.isdir(NETNS)
    os.makedirs(folder)
    try:
        with open(os.path.join(folder, "resolv.conf"), "w", encoding="ascii") as out:
            out.write("nameserver %s\n" % server)
        yield
    finally:
        shutil.rmtree(folder)
        if made:
            os.rmdir(NETNS)

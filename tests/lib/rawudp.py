# SPDX-License-Identifier: GPL-2.0-or-later
"""UDP packets with a forged source address, for namespaces of the test only; bounded in count and rate."""
import socket
import struct
import time

from .netns import inside

MAX_PACKETS = 1_000_000


def _checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(source, target, payload):
    """An IPv4 packet; source and target are (address, port)."""
    size = 8 + len(payload)
    addresses = socket.inet_aton(source[0]) + socket.inet_aton(target[0])
    udp = struct.pack("!HHHH", source[1], target[1], size, 0) + payload
    check = _checksum(addresses + struct.pack("!BBH", 0, 17, size) + udp) or 0xFFFF
    udp = udp[:6] + struct.pack("!H", check) + payload
    # The kernel fills in the length, the id and the header's checksum.
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + size, 0, 0, 64, 17, 0) + addresses + udp


class Forger:
    """`with Forger(net["attacker"]) as forger: forger.send(victim, proxy, payloads, rate=500)`."""

    def __init__(self, netns):
        assert netns, "forged packets stay inside a namespace"
        with inside(netns):
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.sent = 0

    def send(self, source, target, payloads, rate=1000):
        """Send each payload with the forged (address, port); returns how many went out.

        source may be a pair or a function of the packet's number.
        """
        start, count = time.monotonic(), 0
        for payload in payloads:
            if self.sent >= MAX_PACKETS:
                break
            self._keep_rate(start, count, rate)
            sender = source(count) if callable(source) else source
            self.sock.sendto(packet(sender, target, payload), (target[0], 0))
            count += 1
            self.sent += 1
        return count

    @staticmethod
    def _keep_rate(start, count, rate):
        ahead = start + count / rate - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

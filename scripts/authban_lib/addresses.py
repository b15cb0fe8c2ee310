# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses and networks as text: strict reading, and the longest prefix that holds an address."""
import bisect
import ipaddress
import re

_CHARACTERS = re.compile(r"[0-9A-Fa-f:.]{2,45}", re.ASCII)
_LENGTH = re.compile(r"\d{1,3}", re.ASCII)

def address(text):
    """One address, IPv4-mapped IPv6 as IPv4; ValueError for anything else, a zone or a length too."""
    if not isinstance(text, str) or not _CHARACTERS.fullmatch(text):
        raise ValueError("not an IP address")
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError("not an IP address") from None
    return getattr(found, "ipv4_mapped", None) or found


def network(text):
    """An address or a network with no bits behind its length; ValueError says what is wrong."""
    head, slash, length = text.partition("/") if isinstance(text, str) else ("", "", "")
    base = address(head)
    if not slash:
        return ipaddress.ip_network(base)
    if not _LENGTH.fullmatch(length):
        raise ValueError("the length of the network is not a number")
    bits = int(length)
    if base.version == 4 and ":" in head:
        bits -= 96
    if not 0 <= bits <= base.max_prefixlen:
        raise ValueError("the length of the network is out of range")
    try:
        return ipaddress.ip_network((base, bits))
    except ValueError:
        raise ValueError("there are bits behind the network's length") from None


def text_of(net):
    """A network as authban writes it: a single address without its length."""
    return str(net.network_address) if net.prefixlen == net.max_prefixlen else str(net)


class Prefixes:
    """Networks with a value each; find() gives the value of the longest that holds an address."""

    def __init__(self):
        self._by_length = {4: {}, 6: {}}
        self._lengths = {4: [], 6: []}

    def add(self, net, value):
        """The last value of a network counts."""
        lengths = self._by_length[net.version]
        if net.prefixlen not in lengths:
            lengths[net.prefixlen] = {}
            self._lengths[net.version] = sorted(lengths, reverse=True)
        lengths[net.prefixlen][int(net.network_address)] = value

    def find(self, addr):
        """None when no network holds it."""
        for length in self._lengths[addr.version]:
            bits = addr.max_prefixlen - length
            value = self._by_length[addr.version][length].get(int(addr) >> bits << bits)
            if value is not None:
                return value
        return None


class Ranges:
    """Many networks at once: touches() asks whether any of them shares an address with one."""

    def __init__(self, nets):
        self._starts, self._ends = {4: [], 6: []}, {4: [], 6: []}
        nets = list(nets)
        for version in (4, 6):
            for net in ipaddress.collapse_addresses(net for net in nets if net.version == version):
                self._starts[version].append(int(net.network_address))
                self._ends[version].append(int(net.broadcast_address))

    def touches(self, net):
        """net: an ip_network."""
        at = bisect.bisect_right(self._starts[net.version], int(net.broadcast_address))
        return at > 0 and self._ends[net.version][at - 1] >= int(net.network_address)


# What no provider answers for. Documentation networks are left in: they are what examples are made of.
_OWN_USE = Ranges(ipaddress.ip_network(text) for text in (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.168.0.0/16", "224.0.0.0/3", "::/8", "fc00::/7", "fe80::/10", "ff00::/8"))


def own_use(net):
    """Whether a network or address touches what is not routed on the Internet."""
    return _OWN_USE.touches(ipaddress.ip_network(net))

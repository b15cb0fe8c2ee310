# SPDX-License-Identifier: GPL-2.0-or-later
"""Abuse mailboxes by RDAP and by the abuse-contacts DNS: only with --look-up, and replaced in tests.

Both tell third parties which addresses you ask about. What comes back is foreign text: a mailbox is taken
only when it is a plain one (config.is_mailbox).
"""
import http.client
import ipaddress
import json
import os
import socket
import struct
import urllib.error
import urllib.request

from . import config

RDAP = "https://rdap.org/ip/%s"
DNS_ZONE = "abuse-contacts.abusix.zone"
_TXT = 16
_ANSWER_MAX = 1 << 20
_DEPTH_MAX = 8


class Fetcher:
    """contact(address) by RDAP, then by DNS. get_url(url) and get_txt(name) are the only ways to the network."""

    def __init__(self, warn, get_url=None, get_txt=None):
        self.warn = warn
        self.get_url = get_url or fetch_url
        self.get_txt = get_txt or fetch_txt
        self._known = {}

    def contact(self, addr):
        """(mailbox or None, where it was found)."""
        # one question per network that providers hand out, not one per address
        net = ipaddress.ip_network((addr, 24 if addr.version == 4 else 48), strict=False)
        if net not in self._known:
            self._known[net] = self._ask(addr)
        return self._known[net]

    def _ask(self, addr):
        for how, ask in (("RDAP", self._rdap), (DNS_ZONE, self._dns)):
            try:
                mailbox = ask(addr)
            except (OSError, ValueError, http.client.HTTPException, RecursionError) as error:
                self.warn("%s does not answer for %s: %s" % (how, addr, error))
                continue
            if mailbox:
                return mailbox, how
        return None, "neither RDAP nor DNS knows a mailbox: look with whois %s" % addr

    def _rdap(self, addr):
        return rdap_mailbox(json.loads(self.get_url(RDAP % addr)))

    def _dns(self, addr):
        for text in self.get_txt(dns_name(addr)):
            if config.is_mailbox(text.strip()):
                return text.strip()
        return None


def rdap_mailbox(document):
    """The first plain mailbox of an entity with the role "abuse", however deep; None without one."""
    level = [document] if isinstance(document, dict) else []
    for _ in range(_DEPTH_MAX):
        entities = [entity for node in level for entity in _list(node, "entities") if isinstance(entity, dict)]
        for entity in entities:
            if "abuse" in _list(entity, "roles"):
                for mailbox in _vcard_mail(entity.get("vcardArray")):
                    return mailbox
        level = entities
    return None


def _list(node, key):
    return node[key] if isinstance(node.get(key), list) else []


def _vcard_mail(vcard):
    properties = vcard[1] if isinstance(vcard, list) and len(vcard) > 1 and isinstance(vcard[1], list) else ()
    for row in properties:
        if isinstance(row, list) and len(row) > 3 and row[0] == "email" and isinstance(row[3], str):
            if config.is_mailbox(row[3]):
                yield row[3]


def dns_name(addr):
    """Where the abuse-contacts zone keeps the mailbox of an address."""
    return addr.reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa") + "." + DNS_ZONE


def fetch_url(url, timeout=10.0):
    """Text behind an https URL, at most 1 MB."""
    request = urllib.request.Request(url, headers={"Accept": "application/rdap+json"})
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return answer.read(_ANSWER_MAX).decode("utf-8", "replace")


def fetch_txt(name, timeout=3.0):
    """TXT records of a name, from the first server of /etc/resolv.conf."""
    number = int.from_bytes(os.urandom(2), "big")
    with socket.create_connection((_resolver(), 53), timeout) as sock:
        query = txt_query(name, number)
        sock.sendall(struct.pack(">H", len(query)) + query)
        with sock.makefile("rb") as stream:
            return txt_answer(stream.read(struct.unpack(">H", stream.read(2).rjust(2, b"\0"))[0]), number)


def _resolver():
    with open("/etc/resolv.conf", encoding="ascii", errors="replace") as text:
        for line in text:
            words = line.split()
            if len(words) > 1 and words[0] == "nameserver":
                return words[1]
    return "127.0.0.1"


def txt_query(name, number):
    """The bytes of a DNS question."""
    labels = b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.split("."))
    return struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", _TXT, 1)


def txt_answer(data, number):
    """The texts of a DNS answer; ValueError when it is damaged or answers something else."""
    try:
        found, flags, questions, answers = struct.unpack(">HHHH", data[:8])
        if found != number or not flags & 0x8000:
            raise ValueError("the DNS answer belongs to another question")
        at = 12
        for _ in range(questions):
            at = _skip_name(data, at) + 4
        texts = []
        for _ in range(answers):
            at = _skip_name(data, at)
            kind, _, _, length = struct.unpack(">HHIH", data[at:at + 10])
            if kind == _TXT:
                texts.append(_strings(data[at + 10:at + 10 + length]))
            at += 10 + length
        return texts
    except (struct.error, IndexError):
        raise ValueError("the DNS answer is damaged") from None


def _skip_name(data, at):
    while data[at]:
        if data[at] >= 0xc0:
            return at + 2
        at += 1 + data[at]
    return at + 1


def _strings(data):
    out, at = b"", 0
    while at < len(data):
        out += data[at + 1:at + 1 + data[at]]
        at += 1 + data[at]
    return out.decode("ascii", "replace")

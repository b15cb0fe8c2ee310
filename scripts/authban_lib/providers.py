# SPDX-License-Identifier: GPL-2.0-or-later
"""Whose address is it, and who is told: the operator's map, AWS's ranges, an ASN database, look-ups.

Everything is read from files; the network is asked only by the fetcher that the caller gives (contacts.py).
"""
import collections
import json
import re

from . import Problem, addresses, config

AWS_NAME = "Amazon Web Services"
AWS_FORM = "https://support.aws.amazon.com/#/contacts/report-abuse"
UNKNOWN = "unknown"
_FILE_MAX = 64 << 20
_LINES_MAX = 1_000_000

Provider = collections.namedtuple("Provider", "name contact how aws asn")
Provider.__doc__ = """contact: a mailbox, a URL or None; how: where it was found, in words; aws: takes AWS's API;
asn: number or None."""
_Owner = collections.namedtuple("_Owner", "name contact")


def read_map(path):
    """Prefixes of lines "CIDR CONTACT NAME": contact a mailbox, a URL or "-"; # begins a comment."""
    found = addresses.Prefixes()
    try:
        with open(path, encoding="utf-8", errors="replace") as text:
            for number, line in enumerate(text, 1):
                words = line.split("#", 1)[0].split(None, 2) if "://" not in line else _words_with_url(line)
                if number > _LINES_MAX:
                    raise Problem("%s has more than %d lines" % (path, _LINES_MAX))
                if words:
                    found.add(*_map_line(words, "%s, line %d" % (path, number)))
    except OSError as error:
        raise Problem("cannot read the map %s: %s" % (path, error.strerror)) from None
    return found


def _words_with_url(line):
    # a # inside a URL is no comment; one at the start of a word is
    return re.split(r"(?:^|\s)#", line, maxsplit=1)[0].split(None, 2)


def _map_line(words, where):
    if len(words) != 3:
        raise Problem("%s: a line is CIDR CONTACT NAME (contact may be -)" % where)
    try:
        net = addresses.network(words[0])
    except ValueError as error:
        raise Problem("%s: %.60s: %s" % (where, words[0], error)) from None
    contact = None if words[1] == "-" else words[1]
    if contact and not config.is_contact(contact):
        raise Problem("%s: %.60s is no mail address, http URL or -" % (where, contact))
    return net, _Owner(plain_name(words[2]), contact)


def plain_name(text):
    """A provider's name in printable ASCII, at most 80 characters."""
    plain = "".join(c if " " <= c <= "~" and c not in '"\\<>' else "?" for c in text.strip())
    return " ".join(plain.split())[:80] or UNKNOWN


def read_aws(path):
    """Prefixes of AWS's ip-ranges.json: the value is the region."""
    found = addresses.Prefixes()
    try:
        with open(path, "rb") as text:
            data = text.read(_FILE_MAX + 1)
        document = json.loads(data) if len(data) <= _FILE_MAX else None
        for part, key in (("prefixes", "ip_prefix"), ("ipv6_prefixes", "ipv6_prefix")):
            for row in document[part]:
                found.add(addresses.network(row[key]), plain_name(str(row.get("region", ""))))
    except OSError as error:
        raise Problem("cannot read AWS's ranges %s: %s" % (path, error.strerror)) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Problem("%s is not AWS's ip-ranges.json" % path) from None
    return found


class Book:
    """Who has an address. All arguments may be None; fetcher: contacts.Fetcher."""

    def __init__(self, owners=None, aws=None, asn=None, contacts=None, fetcher=None):
        self.owners, self.aws, self.asn = owners, aws, asn
        self.contacts = contacts or {}
        self.fetcher = fetcher

    def find(self, addr, look_up=True):
        """The Provider of an address; look_up: the fetcher may be asked for a contact."""
        owner = self.owners.find(addr) if self.owners else None
        region = self.aws.find(addr) if self.aws else None
        asn, asn_name = (self.asn.find(addr) if self.asn else None) or (None, None)
        name = owner.name if owner else AWS_NAME if region else plain_name(asn_name) if asn_name else UNKNOWN
        if name == UNKNOWN and asn:
            name = "AS%d" % asn
        contact, how = self._contact(addr, owner, region, name, asn, look_up)
        return Provider(name, contact, how, bool(region), asn)

    def _contact(self, addr, owner, region, name, asn, look_up):
        if owner and owner.contact:
            return owner.contact, "your map"
        listed = self.contacts.get(name.lower()) or (self.contacts.get("as%d" % asn) if asn else None)
        if listed:
            return listed, "[contacts]"
        if region:
            return AWS_FORM, "AWS's published ranges"
        if look_up and self.fetcher:
            return self.fetcher.contact(addr)
        return None, "nothing known: add it to your map, or look with whois %s" % addr

# SPDX-License-Identifier: GPL-2.0-or-later
"""What of a foreign list is taken: widths, times, numbers, nothing of ours. The rest is named and counted."""
import collections
import dataclasses
import re

from . import Problem, addresses

NAMED_MAX = 20
_SOURCE = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}", re.ASCII)


@dataclasses.dataclass(frozen=True)
class Limits:
    """ttl, ttl_max: seconds; widest4, widest6: shortest prefix length; total: entries of one list."""
    ttl: int = 86400
    ttl_max: int = 7 * 86400
    widest4: int = 24
    widest6: int = 48
    total: int = 100_000
    protected: tuple = ()

    def check(self):
        """Problem when they are out of range."""
        for name, least, most in (("ttl", 1, self.ttl_max), ("ttl_max", 60, 31 * 86400), ("widest4", 16, 32),
                                  ("widest6", 32, 128), ("total", 1, 1_000_000)):
            if not least <= getattr(self, name) <= most:
                raise Problem("%s is %d: %d to %d are allowed" % (name, getattr(self, name), least, most))


class Taken:
    """The result: adds and drops are {network: ttl} and {network}; refused counts reasons; named: sentences."""

    def __init__(self):
        self.adds, self.drops = {}, {}
        self.refused = collections.Counter()
        self.named = []
        self.duplicates = 0

    def refuse(self, number, text, why, count=1):
        """Count it; the first ones are named with the number of their line."""
        self.refused[why] += count
        if len(self.named) < NAMED_MAX:
            self.named.append("line %d: %s: %s" % (number, ascii(text[:60])[1:-1], why))

    def report(self):
        """Sentences for the operator."""
        yield from self.named
        hidden = sum(self.refused.values()) - len(self.named)
        if hidden > 0:
            yield "and %d more lines are refused" % hidden
        for why, count in self.refused.most_common():
            yield "refused %d: %s" % (count, why)
        yield "taken %d, taken back %d, repeated %d, refused %d" % (
            len(self.adds), len(self.drops), self.duplicates, sum(self.refused.values()))


def source_name(text):
    """A list's name as the module takes it; Problem otherwise."""
    if not _SOURCE.fullmatch(text):
        raise Problem("%.40s is no name of a source: a-z, 0-9, and . _ - after the first, at most 32" % ascii(text))
    return text


def apply(items, limits):
    """Taken of an iterable of feeds.Item."""
    limits.check()
    taken, protected = Taken(), addresses.Ranges(limits.protected)
    for item in items:
        if item.fault:
            taken.refuse(item.number, item.text, item.fault, item.count)
            continue
        try:
            net = addresses.network(item.text)
        except ValueError as error:
            taken.refuse(item.number, item.text, str(error))
            continue
        why = None if item.ttl == 0 else _why_not(net, limits, protected)
        if not why:
            why = _take(taken, net, item.ttl, limits)
        if why:
            taken.refuse(item.number, item.text, why)
    return taken


def _why_not(net, limits, protected):
    widest = limits.widest4 if net.version == 4 else limits.widest6
    if net.prefixlen < widest:
        return "wider than /%d" % widest
    if addresses.own_use(net):
        return "no address of the public Internet"
    if protected.touches(net):
        return "it would hit an address of ours or of the allow-list"
    return None


def _take(taken, net, ttl, limits):
    if ttl == 0:
        if len(taken.drops) >= limits.total and net not in taken.drops:
            return "more than %d entries" % limits.total
        taken.drops[net] = 0
        taken.adds.pop(net, None)
        return None
    ttl = min(limits.ttl if ttl is None else ttl, limits.ttl_max)
    if net in taken.adds:
        taken.duplicates += 1
        taken.adds[net] = max(taken.adds[net], ttl)
    elif len(taken.adds) >= limits.total:
        return "more than %d entries" % limits.total
    else:
        taken.adds[net] = ttl
    return None


def read_protected(path):
    """Networks of a file with one a line (as allow_file has them); any bad line is a Problem."""
    nets = []
    try:
        with open(path, encoding="utf-8", errors="replace") as text:
            for number, line in enumerate(text, 1):
                word = line.split("#", 1)[0].split()
                if word:
                    nets.append(addresses.network(word[0]))
    except OSError as error:
        raise Problem("cannot read %s: %s" % (path, error.strerror)) from None
    except ValueError as error:
        raise Problem("%s, line %d: %s" % (path, number, error)) from None
    return nets

# SPDX-License-Identifier: GPL-2.0-or-later
"""Offenders grouped by provider, and within it by campaign (a network under watch) or alone."""
import collections
import re

from . import timestamp

Offender = collections.namedtuple("Offender", "row provider skip")
Offender.__doc__ = "row: Evidence; provider: Provider; skip: why it is not reported, or None."
Group = collections.namedtuple("Group", "provider network offenders")
Group.__doc__ = "provider: its name; network: the network of a campaign, or None for all that came alone."


def group(offenders):
    """Groups by provider and campaign, the largest first; Offenders of a group by their last failure."""
    # who failed before his network was under watch belongs to the campaign as well
    watched = {one.row.network for one in offenders if one.row.campaign}
    found = collections.defaultdict(list)
    for one in offenders:
        found[one.provider.name, one.row.network if one.row.network in watched else None].append(one)
    groups = [Group(name, network, sorted(members, key=lambda one: one.row.last, reverse=True))
              for (name, network), members in found.items()]
    return sorted(groups, key=lambda g: (-len(g.offenders), g.provider, str(g.network)))


def as_dict(one_group):
    """A group for --json."""
    rows = [one.row for one in one_group.offenders]
    contacts = sorted({one.provider.contact for one in one_group.offenders if one.provider.contact})
    return {"provider": one_group.provider, "campaign": str(one_group.network) if one_group.network else None,
            "contacts": contacts, "sources": len(rows), "failures": sum(row.failures for row in rows),
            "first": timestamp.print_ms(min(row.first for row in rows)),
            "last": timestamp.print_ms(max(row.last for row in rows)),
            "offenders": [{"source": one.row.key, "address": str(one.row.address), "port": one.row.port,
                           "incident": one.row.incident, "failures": one.row.failures,
                           "last": timestamp.print_ms(one.row.last), "banned": one.row.banned,
                           "not_reported_because": one.skip}
                          for one in one_group.offenders]}


def as_lines(one_group):
    """A group as an operator reads it."""
    told = as_dict(one_group)
    where = "campaign in %s" % one_group.network if one_group.network else "single sources"
    yield "%s, %s: %d source%s, %d failures, %s to %s" % (
        told["provider"], where, told["sources"], "" if told["sources"] == 1 else "s", told["failures"],
        told["first"], told["last"])
    for contact in told["contacts"]:
        yield "  tell %s (%s)" % (contact, next(
            one.provider.how for one in one_group.offenders if one.provider.contact == contact))
    for one in one_group.offenders:
        yield "  %-16s %-39s port %-5d %5d failures, last %s%s" % (
            one.row.incident, one.row.address, one.row.port, one.row.failures, timestamp.print_ms(one.row.last),
            "; not reported: " + one.skip if one.skip else "")


def folder_name(name):
    """A provider's name as the name of a folder."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "unknown"

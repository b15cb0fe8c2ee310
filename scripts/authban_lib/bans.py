# SPDX-License-Identifier: GPL-2.0-or-later
"""Bans as authban.list tells them, and which of them may be given to others."""
import collections

from . import addresses, evidence, timestamp

TTL_MAX = 366 * 86400

Ban = collections.namedtuple("Ban", "net ttl reason proof since")
Ban.__doc__ = "net: ip_network; ttl: seconds left; since: datetime. Users and the operator's own words are not in it."


def read(rows, node=None, everything=False):
    """(bans, refusals). Without `everything`: only proven ones that the proxy `node` made itself by its rules."""
    found, refused = {}, []
    for number, row in enumerate(rows, 1):
        try:
            ban = _ban(row)
            if ban and (everything or _ours(row, node)):
                found[ban.net] = ban
        except (KeyError, ValueError, TypeError) as error:
            refused.append("row %d is not as authban.list tells it: %s" % (number, error))
    return sorted(found.values(), key=lambda ban: (ban.net.version, ban.net)), refused


def _ours(row, node):
    return row["origin"] == node and row["proof"] in evidence.PROOFS and row["reason"] in evidence.REASONS


def _ban(row):
    if row["state"] != "banned" or row["ttl"] == 0:
        return None  # dry run: blocked for nobody
    ttl = row["ttl"]
    if isinstance(ttl, bool) or not isinstance(ttl, int) or ttl < 0:
        raise ValueError("ttl must be a number of seconds")
    reason = row["reason"] if row["reason"] in evidence.REASONS else "other"
    proof = row["proof"] if row["proof"] in evidence.PROOFS else "none"
    return Ban(addresses.network(row["source"]), min(ttl, TTL_MAX), reason, proof, timestamp.parse(row["since"]))

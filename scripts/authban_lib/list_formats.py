# SPDX-License-Identifier: GPL-2.0-or-later
"""Bans in the forms that others read: plain text, an nft set, CrowdSec decisions, STIX 2.1."""
import datetime
import json
import re
import uuid

from . import Problem, addresses, timestamp

_STIX_NAMESPACE = uuid.UUID("5d1c7b0a-41a7-4f0e-9a3a-0c6b4c1f5e52")
_NFT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,30}", re.ASCII)


def plain(bans, _at, _options):
    """One address or network a line."""
    return "".join(addresses.text_of(ban.net) + "\n" for ban in bans)


def nft(bans, _at, options):
    """Commands for `nft -f`: two sets with timeouts in a table of their own, replaced in one step."""
    table = options.get("table") or "authban"
    if not _NFT_NAME.fullmatch(table):
        raise Problem("%.40s is no name for an nft table: letters, digits and _" % table)
    lines = ["add table inet " + table]
    for version, kind in ((4, "ipv4_addr"), (6, "ipv6_addr")):
        name = "%s authban%d" % (table, version)
        lines += ["add set inet %s { type %s; flags interval, timeout; }" % (name, kind), "flush set inet " + name]
        members = _without_overlap(ban for ban in bans if ban.net.version == version)
        if members:
            lines.append("add element inet %s { %s }" % (name, ", ".join(
                "%s timeout %ds" % (addresses.text_of(ban.net), ban.ttl) for ban in members)))
    return "\n".join(lines) + "\n"


def _without_overlap(bans):
    """Sets of intervals refuse a network inside another: the wider one stays."""
    kept = []
    for ban in sorted(bans, key=lambda ban: (ban.net.network_address, ban.net.prefixlen)):
        if not kept or not ban.net.subnet_of(kept[-1].net):
            kept.append(ban)
    return kept


def crowdsec(bans, _at, _options):
    """Decisions as `cscli decisions import` and the local API have them."""
    return json.dumps([{
        "value": addresses.text_of(ban.net), "scope": "ip" if _single(ban.net) else "range", "type": "ban",
        "duration": "%ds" % ban.ttl, "reason": "authban/" + ban.reason, "scenario": "authban/" + ban.reason,
        "origin": "authban"} for ban in bans], indent=1) + "\n"


def stix(bans, at, options):
    """A STIX 2.1 bundle of indicators with valid_until. The same ban keeps its id."""
    issuer = options.get("issuer") or "authban"
    identity = "identity--%s" % uuid.uuid5(_STIX_NAMESPACE, issuer)
    moment = timestamp.print_ms(at)
    objects = [{"type": "identity", "spec_version": "2.1", "id": identity, "created": moment, "modified": moment,
                "name": issuer, "identity_class": "organization"}]
    for ban in bans:
        since = timestamp.print_ms(ban.since)
        number = uuid.uuid5(_STIX_NAMESPACE, "%s %s %s" % (issuer, ban.net, since))
        objects.append({
            "type": "indicator", "spec_version": "2.1", "id": "indicator--%s" % number, "created_by_ref": identity,
            "created": since, "modified": max(moment, since), "name": "SIP password guessing",
            "indicator_types": ["malicious-activity"], "pattern_type": "stix", "pattern": _pattern(ban.net),
            "valid_from": since, "valid_until": timestamp.print_ms(at + datetime.timedelta(seconds=ban.ttl))})
    bundle = {"type": "bundle", "id": "bundle--%s" % uuid.uuid4(), "objects": objects}
    return json.dumps(bundle, indent=1) + "\n"


def _pattern(net):
    kind = "ipv%d-addr" % net.version
    return "[%s:value %s '%s']" % (kind, "=" if _single(net) else "ISSUBSET", addresses.text_of(net))


def _single(net):
    return net.prefixlen == net.max_prefixlen


FORMATS = {"plain": plain, "nft": nft, "crowdsec": crowdsec, "stix": stix}

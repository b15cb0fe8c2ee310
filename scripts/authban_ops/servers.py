# SPDX-License-Identifier: GPL-2.0-or-later
"""Which Redis the module would write to: one server, the master that sentinels name, or the node of a cluster."""
from . import Problem, clean
from .finding import fail, ok, warn
from .resp import Client, Refused

SLOTS = 16384


def log_in(client, user, password):
    """A server that wants no password says so; that is no obstacle."""
    if not password:
        return
    try:
        client("AUTH", *([user] if user else []), password)
    except Refused as refused:
        if "without any password" not in str(refused):
            raise


def reach(url, password, ca, prefix):
    """(a connection that is not logged in, or None; findings about the way there). Problem: there is no way."""
    if url.kind == "sentinel":
        return _by_sentinels(url, password, ca)
    if url.kind == "cluster":
        return _by_cluster(url, password, ca, prefix)
    return Client(url.places[0], url, ca), []


def _ask_each(url, password, ca, question):
    """([(name, answer)] of those that answer, [Problem] of the others)."""
    answers, problems = [], []
    for place in url.places:
        try:
            with Client(place, url, ca) as client:
                log_in(client, url.user, password)
                answers.append((client.name, client(*question)))
        except Problem as problem:
            name = clean("%s:%d" % place)
            problems.append(str(problem) if name in str(problem) else "%s: %s" % (name, problem))
    return answers, problems


def _by_sentinels(url, password, ca):
    if not url.master:
        raise Problem("redis names sentinels, but no master: redis+sentinel://host,host/NAME")
    answers, problems = _ask_each(url, password, ca, ("SENTINEL", "get-master-addr-by-name", url.master))
    if not answers:
        raise Problem("no sentinel answers: %s" % problems[0])
    named = {}
    for name, found in answers:
        if isinstance(found, list) and len(found) == 2 and str(found[1]).isdigit():
            named.setdefault((found[0], int(found[1])), []).append(name)
        else:
            problems.append("the sentinel at %s knows no master %s" % (name, clean(url.master)))
    if not named:
        raise Problem(problems[-1])
    findings = [_sentinels(url, answers, problems, named)]
    place = max(named, key=lambda one: len(named[one]))
    return Client(place, url, ca), findings


def _sentinels(url, answers, problems, named):
    if len(named) > 1:
        return fail("sentinels", "they do not agree who is the master: %s" % clean(" or ".join(
            "%s:%d" % place for place in sorted(named))), "look at the network between the sentinels")
    if problems:
        return warn("sentinels", "%d of %d are of use; %s" % (sum(map(len, named.values())), len(url.places), problems[0]),
                    "start it, or take it out of redis")
    if len(answers) < 3:
        return warn("sentinels", "only %d: when one is lost, none of them may name a new master" % len(answers),
                    "run three or more, on different machines, and name all")
    return ok("sentinels", "%d name %s as the master of %s" % (
        len(answers), clean("%s:%d" % next(iter(named))), clean(url.master)))


def slot_of(prefix):
    """Where the keys {PREFIX:0} are."""
    crc = 0
    for byte in ("%s:0" % prefix).encode():
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xffff
    return crc % SLOTS


def _by_cluster(url, password, ca, prefix):
    answers, problems = _ask_each(url, password, ca, ("CLUSTER", "SLOTS"))
    if not answers:
        raise Problem("no node of the cluster answers: %s" % problems[0])
    # a node that does not know its own address leaves it out
    ranges = [(row[0], row[1], (row[2][0] or url.places[0][0], row[2][1])) for row in answers[0][1] if len(row) > 2]
    findings = [_nodes(url, answers, problems, ranges)]
    home = [place for first, last, place in ranges if first <= slot_of(prefix) <= last]
    return (Client(home[0], url, ca) if home else None), findings


def _nodes(url, answers, problems, ranges):
    served = sum(last - first + 1 for first, last, _ in ranges)
    if served < SLOTS:
        return fail("cluster", "%d of %d slots are served by nobody" % (SLOTS - served, SLOTS),
                    "redis-cli --cluster check, and fix")
    if problems:
        return warn("cluster", "%d of the %d nodes that redis names answer; %s" % (
            len(answers), len(url.places), problems[0]), "start it, or take it out of redis")
    return ok("cluster", "%d masters serve all slots" % len({row[2] for row in ranges}))

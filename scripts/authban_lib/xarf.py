# SPDX-License-Identifier: GPL-2.0-or-later
"""One incident as an XARF v4 report (connection, login_attack), and our own statement of what it must have.

No user leaves: users are numbered within a report. Nor is it told which guesses met a user that exists (a
report is passed on to the attacker): wrong passwords and unknown users are one class.
"""
import base64
import collections
import hashlib
import ipaddress
import re
import uuid

from . import addresses, evidence, timestamp

XARF_VERSION = "4.2.0"
TEST_TAG = "lifecycle:test"
_PROTOCOLS = {"udp": "udp", "tcp": "tcp", "tls": "tcp", "ws": "tcp", "wss": "tcp", "sctp": "sctp"}
_CLASSES = {"wrong_password": "wrong-credentials", "no_user": "wrong-credentials",
            "malformed": "malformed-credentials", "script": "refused-by-the-proxy"}
# Documentation addresses, for test reports
_TEST_SOURCE = {4: ipaddress.ip_address("192.0.2.1"), 6: ipaddress.ip_address("2001:db8::1")}
_TEST_TARGET = {4: ipaddress.ip_address("198.51.100.1"), 6: ipaddress.ip_address("2001:db8:ffff::1")}

Facts = collections.namedtuple("Facts", "source port target target_port")
Facts.__doc__ = "What a report names; target is None where ours is not an address of the Internet."


def facts(row, config, test=False):
    """The addresses and ports of a report, for all its forms."""
    if test:
        return Facts(_TEST_SOURCE[row.address.version], row.port, _TEST_TARGET[row.address.version], row.local_port)
    target = config.targets.get(row.local_address, row.local_address)
    return Facts(row.address, row.port, None if addresses.own_use(target) else target, row.local_port)


def fingerprint(row, config):
    """256 bits as hex that stay the same for an incident of this reporter."""
    text = "\n".join(("authban", config.reporter.domain, row.incident, row.key, timestamp.print_ms(row.first)))
    return hashlib.sha256(text.encode()).hexdigest()


def report_id(row, config, test=False):
    """A version 4 UUID that is the same whenever this incident is written."""
    digest = hashlib.sha256(("xarf %s %d" % (fingerprint(row, config), test)).encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def class_counts(row):
    """{class as reported: failures}, those that are not 0."""
    counts = collections.Counter()
    for name, number in row.counts.items():
        counts[_CLASSES[name]] += number
    return {name: number for name, number in counts.items() if number}


def log_lines(row, at):
    """The samples as lines of a log. at: the Facts."""
    place = "%s port %d" % (at.target, at.target_port) if at.target else "our SIP server"
    lines = ["# times are UTC; the port is that of the last attempt; users are numbered within this report",
             "%s last failed SIP authentication from %s port %d to %s over %s" % (
                 timestamp.print_ms(row.last), at.source, at.port, place, row.transport)]
    numbers = {}
    for sample in row.samples:
        who = "-" if not sample.user else "user-%d" % numbers.setdefault(sample.user, len(numbers) + 1)
        agent = evidence.clean_user_agent(sample.user_agent, [other.user for other in row.samples])
        lines.append('%s %s %s %s %s user-agent="%s"' % (
            timestamp.print_ms(sample.time), at.source, sample.method, _CLASSES.get(sample.kind, "failed"), who, agent))
    return lines


def summary(row, at):
    """The attack in a few plain sentences, at most 1000 characters."""
    methods = ", ".join("%s %d" % pair for pair in row.methods.items()) or "unknown"
    classes = ", ".join("%s %d" % pair for pair in class_counts(row).items())
    text = ("Password guessing against a SIP server: %d failed authentications from %s between %s and %s (%s), over %s,"
            " about %d different users tried. Methods: %s. The sender proved that it receives at this address"
            " (%s), so it is not forged; it was blocked %d times." % (
                row.failures, at.source, timestamp.print_ms(row.first), timestamp.print_ms(row.last), classes,
                row.transport, row.users, methods, _proof_words(row.proof), row.bans))
    if row.campaign:
        text += " Other addresses of the same network did the same."
    return text[:1000]


def _proof_words(proof):
    return {"stream": "a connection was set up", "token": "it returned a token that we sent there",
            "nonce": "it returned a nonce that we sent there"}[proof]


def document(row, config, test=False):
    """The XARF report as a dictionary. test: documentation addresses, and the tag that marks a test."""
    at = facts(row, config, test)
    payload = "\n".join(log_lines(row, at)).encode("ascii") + b"\n"
    tags = ["protocol:sip", "attack:password-guessing"]
    if row.campaign:
        tags.append("scope:campaign")
    if test:
        tags.append(TEST_TAG)
    report = {
        "xarf_version": XARF_VERSION, "report_id": report_id(row, config, test),
        "timestamp": timestamp.print_ms(row.last), "reporter": config.reporter._asdict(),
        "sender": config.sender._asdict(), "source_identifier": str(at.source), "source_port": at.port,
        "category": "connection", "type": "login_attack", "protocol": _PROTOCOLS[row.transport],
        "first_seen": timestamp.print_ms(row.first), "last_seen": timestamp.print_ms(row.last),
        "destination_port": at.target_port, "evidence_source": "ids_detection", "confidence": 0.95, "tags": tags,
        "description": summary(row, at), "service": "sip", "attempt_count": row.failures,
        "evidence": [{"content_type": "text/plain", "description": "Log of the SIP server",
                      "payload": base64.b64encode(payload).decode(), "size": len(payload),
                      "hash": "sha256:" + hashlib.sha256(payload).hexdigest()}]}
    if at.target:
        report["destination_ip"] = str(at.target)
    return report


# --- what a report must have, by our own reading of the format ---

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", re.ASCII)
_UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)
_TAG = re.compile(r"[a-z0-9][a-z0-9_+-]*:[a-z0-9][a-z0-9_+-]*", re.ASCII)
_HASH = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


def _text(pattern):
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _whole(least, most):
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_address(value):
    try:
        return str(addresses.address(value)) == value
    except ValueError:
        return False


def _is_party(value):
    return (isinstance(value, dict) and set(value) == {"org", "contact", "domain"}
            and all(isinstance(text, str) and 0 < len(text) <= 254 for text in value.values())
            and len(value["org"]) <= 200 and "@" in value["contact"] and "." in value["domain"])


def _is_evidence(value):
    def good(item):
        data = base64.b64decode(item["payload"], validate=True)
        return (set(item) <= {"content_type", "payload", "description", "hash", "size"} and "/" in item["content_type"]
                and len(item.get("description", "")) <= 500 and item["size"] == len(data) <= 5 << 20
                and _HASH.fullmatch(item["hash"]) and item["hash"][7:] == hashlib.sha256(data).hexdigest())
    try:
        return isinstance(value, list) and len(value) <= 50 and all(good(item) for item in value)
    except (ValueError, KeyError, TypeError):
        return False


REQUIRED = {
    "xarf_version": _text(re.compile(r"4\.\d+\.\d+", re.ASCII)), "report_id": _text(_UUID4), "timestamp": _text(_TIME),
    "reporter": _is_party, "sender": _is_party, "source_identifier": _is_address, "source_port": _whole(1, 65535),
    "category": lambda value: value == "connection", "type": lambda value: value == "login_attack",
    "protocol": lambda value: value in ("tcp", "udp", "icmp", "sctp"), "first_seen": _text(_TIME)}
OPTIONAL = {
    "last_seen": _text(_TIME), "destination_ip": _is_address, "destination_port": _whole(1, 65535),
    "evidence": _is_evidence, "description": lambda value: isinstance(value, str) and len(value) <= 1000,
    "confidence": lambda value: isinstance(value, (int, float)) and 0 <= value <= 1,
    "tags": lambda value: isinstance(value, list) and len(value) <= 20 and all(map(_text(_TAG), value)),
    "evidence_source": lambda value: isinstance(value, str)}


def faults(report):
    """What is wrong with a report, a sentence each; an empty list: it may go out."""
    found = ["%s is missing" % name for name in REQUIRED if name not in report]
    found += ["%s is not allowed as it is" % name for name, good in {**REQUIRED, **OPTIONAL}.items()
              if name in report and not good(report[name])]
    if "_internal" in report:
        found.append("_internal must never be sent")
    return found

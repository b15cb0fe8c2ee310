# SPDX-License-Identifier: GPL-2.0-or-later
"""What authban.evidence answers, checked field by field; nothing else of it is used.

A row comes from a proxy, but its words were sent by an attacker or lay in Redis: a row that is not as
agreed is left out and named, never guessed at.
"""
import collections
import dataclasses
import datetime
import re

from . import Problem, addresses, timestamp

PROOFS = ("token", "nonce", "stream")
TRANSPORTS = ("udp", "tcp", "tls", "ws", "wss", "sctp")
CLASSES = ("wrong_password", "no_user", "malformed", "script")
REASONS = ("threshold", "network", "user_attack", "slow", "users", "strangers", "campaign")
METHODS = ("REGISTER", "INVITE", "SUBSCRIBE", "PUBLISH", "MESSAGE", "OPTIONS", "BYE", "REFER", "NOTIFY", "INFO",
           "UPDATE", "PRACK", "ACK", "CANCEL")
SAMPLES_MAX = 8
USER_AGENT_MAX = 64
_INCIDENT = re.compile(r"[0-9a-f]{16}", re.ASCII)
_CLOCK_SLACK = datetime.timedelta(minutes=5)
_COUNT_MAX = (1 << 53) - 1

# Words in a User-Agent that may be more than a program's name: a SIP or mail address, long runs of digits
# and letters (nonces, responses, tokens), and what calls itself a secret.
_NOT_A_PROGRAM = re.compile(r"\S*(?:@|sips?:|tel:)\S*|[0-9A-Za-z+/=_-]{24,}|\S*(?:pass|nonce|response|secret|pwd)\S*",
                            re.ASCII | re.IGNORECASE)

Sample = collections.namedtuple("Sample", "time kind method user user_agent")
Sample.__doc__ = "user: what the proxy gave (a keyed hash, or a name with privacy=off): it never leaves as it is."


@dataclasses.dataclass(frozen=True)
class Evidence:
    """One offender. first, last: datetime; address, local_address, source, network: ipaddress; others as told."""
    source: object
    address: object
    port: int
    transport: str
    local_address: object
    local_port: int
    proof: str
    first: datetime.datetime
    last: datetime.datetime
    failures: int
    counts: dict
    methods: dict
    users: int
    banned: bool
    bans: int
    network: object
    campaign: bool
    imported: bool
    incident: str
    samples: tuple

    @property
    def key(self):
        """The source as authban writes it."""
        return addresses.text_of(self.source)


def why_not(row, test=False):
    """A sentence when this offender must not be reported, else None. test: a trial, which names another address."""
    if row.imported:
        return "known only from elsewhere (another proxy, a snapshot or a feed): its own proxy reports it"
    if row.proof not in PROOFS:
        return "it has not proved its address"
    if row.bans < 1:
        return "it was never banned"
    if addresses.own_use(row.address) and not test:
        return "%s is no address of the public Internet" % row.address
    return None


def read(rows, at):
    """(evidence, refusals): the rows that are as agreed, and a sentence for each that is not. at: now."""
    good, refused = [], []
    for number, row in enumerate(rows, 1):
        try:
            good.append(_read_row(row, at))
        except (LookupError, ValueError, TypeError, AttributeError) as error:
            what = "%s is missing" % error if isinstance(error, KeyError) else error
            refused.append("row %d is not as agreed: %s" % (number, what))
    return good, refused


def merge(rows):
    """One row per incident, when several proxies were asked: the fullest that was seen first hand."""
    best = {}
    for row in rows:
        other = best.get(row.incident)
        if other is None or (not row.imported, row.failures) > (not other.imported, other.failures):
            best[row.incident] = row
    return sorted(best.values(), key=lambda row: (row.last, row.incident), reverse=True)


def clean_user_agent(text, users=()):
    """Printable ASCII, at most 64 characters, without what may be a user, an address or a secret."""
    plain = "".join(c if " " <= c <= "~" and c not in "\"\\<>" else "?" for c in text[:USER_AGENT_MAX])
    plain = _NOT_A_PROGRAM.sub("[removed]", plain)
    for user in sorted(filter(None, users), key=len, reverse=True):
        plain = re.sub(re.escape(user), "[removed]", plain, flags=re.IGNORECASE)
    return plain[:USER_AGENT_MAX].strip()


def _read_row(row, at):
    source = addresses.network(row["source"])
    first, last = timestamp.parse(row["first"]), timestamp.parse(row["last"])
    found = Evidence(
        source=source, address=addresses.address(row["address"]), port=_number(row, "port", 1, 65535),
        transport=_word(row, "transport", TRANSPORTS), local_address=addresses.address(row["local_address"]),
        local_port=_number(row, "local_port", 1, 65535), proof=_word(row, "proof", PROOFS + ("none",)),
        first=first, last=last, failures=_number(row, "failures", 1), methods=_methods(row["methods"]),
        counts={name: _number(row, name) for name in CLASSES}, users=_number(row, "users"),
        banned=bool(_number(row, "banned", 0, 1)), bans=_number(row, "bans"),
        # empty where sources are as wide as networks
        network=addresses.network(row["network"]) if row["network"] else source,
        campaign=bool(_number(row, "campaign", 0, 1)), imported=bool(_number(row, "imported", 0, 1)),
        incident=_incident(row["incident"]), samples=_samples(row["samples"]))
    if found.address.version != source.version or found.address not in source:
        raise ValueError("address %s is not in source %s" % (found.address, source))
    if found.network.version != source.version or not source.subnet_of(found.network):
        raise ValueError("network is not around source %s" % source)
    if not first <= last <= at + _CLOCK_SLACK:
        raise ValueError("first and last are not in order, or in the future")
    return found


def _number(row, name, least=0, most=_COUNT_MAX):
    value = row[name]
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError("%s must be a whole number from %d to %d" % (name, least, most))
    return value


def _word(row, name, words):
    if row[name] not in words:
        raise ValueError("%s must be one of %s" % (name, ", ".join(words)))
    return row[name]


def _incident(text):
    if not isinstance(text, str) or not _INCIDENT.fullmatch(text):
        raise ValueError("incident must be 16 hex digits")
    return text


def _method(name):
    return name if name in METHODS else "OTHER"


def _methods(counts):
    total = collections.Counter()
    for name in counts:
        total[_method(name)] += _number(counts, name)
    return dict(sorted(total.items()))


def _samples(rows):
    samples = []
    for row in rows[:SAMPLES_MAX]:
        kind = row["class"] if row["class"] in CLASSES else "other"
        samples.append(Sample(timestamp.parse(row["time"]), kind, _method(row["method"]), str(row.get("user") or ""),
                              str(row.get("user_agent") or "")))
    return tuple(sorted(samples, key=lambda sample: sample.time))


def fetch(proxies_or_rows, at, warn):
    """Evidence of all of them, merged; warn(sentence) is told what was left out."""
    everything = []
    for rows in proxies_or_rows:
        good, refused = read(rows, at)
        everything += good
        for sentence in refused:
            warn(sentence)
    if not everything:
        return []
    return merge(everything)


def choose(rows, since=None, ip=None):
    """Those whose last failure is not before `since`, and that are (or hold) the address or network `ip`."""
    if ip is not None:
        try:
            wanted = addresses.network(ip)
        except ValueError as error:
            raise Problem("--ip %.60s: %s" % (ip, error)) from None
        rows = [row for row in rows if row.source.version == wanted.version and row.source.overlaps(wanted)]
    return [row for row in rows if since is None or row.last >= since]

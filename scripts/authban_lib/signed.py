# SPDX-License-Identifier: GPL-2.0-or-later
"""A list that another operator can trust to be ours: HMAC-SHA256 or Ed25519 over canonical JSON.

The document is {"list": {...}, "signature": {"algorithm", "value"}}; what is signed is LABEL, the algorithm
and the list as JSON with sorted keys and no spaces. Entries: proven offenders only, and no users.
"""
import base64
import datetime
import hashlib
import hmac
import json
import os
import re
import shutil
import subprocess
import tempfile

from . import Problem, addresses, bans, evidence, feed_limits, files, timestamp
from .feeds import Item

LABEL = b"authban list 1\n"
SIZE_MAX = 32 << 20
ENTRIES_MAX = 100_000
VALID_MAX = datetime.timedelta(days=7)
CLOCKS_DIFFER = datetime.timedelta(minutes=5)
HMAC, ED25519 = "hmac-sha256", "ed25519"
_LIST_KEYS = {"format", "issuer", "serial", "issued", "expires", "entries"}
_ENTRY_KEYS = {"cidr", "ttl", "reason", "proof"}
_BASE64 = re.compile(r"[A-Za-z0-9+/]{20,200}={0,2}", re.ASCII)


class Secret:
    """A key that both operators have."""
    algorithm = HMAC

    def __init__(self, path):
        self._secret = files.read_secret(path)

    def sign(self, data):
        """The bytes of a signature."""
        return hmac.digest(self._secret, data, hashlib.sha256)

    def good(self, data, signature):
        """Whether it is one."""
        return hmac.compare_digest(self.sign(data), signature)


class Ed25519:
    """A key pair, by `openssl pkeyutl`: the private one signs, the public one is all that a receiver needs."""
    algorithm = ED25519

    def __init__(self, path, public):
        if not shutil.which("openssl"):
            raise Problem("openssl is not installed: use --secret, or install it")
        if not public:
            files.read_secret(path)
        elif not os.path.isfile(path):
            raise Problem("cannot read the public key %s" % path)
        words = ["openssl", "pkey", "-in", path, "-noout", "-text_pub"] + (["-pubin"] if public else [])
        if "ED25519" not in _run(words).stdout.decode("ascii", "replace"):
            raise Problem("%s is no %s key of Ed25519 in PEM" % (path, "public" if public else "private"))
        self.path = path

    def sign(self, data):
        """The bytes of a signature."""
        with tempfile.TemporaryDirectory() as folder:
            name = _file(folder, "data", data)
            done = _run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.path, "-in", name])
        if done.returncode or len(done.stdout) != 64:
            raise Problem("openssl cannot sign with %s" % self.path)
        return done.stdout

    def good(self, data, signature):
        """Whether it is one."""
        with tempfile.TemporaryDirectory() as folder:
            return _run(["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", self.path, "-in",
                         _file(folder, "data", data), "-sigfile", _file(folder, "sig", signature)]).returncode == 0


def _run(words):
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)


def _file(folder, name, data):
    path = os.path.join(folder, name)
    with open(path, "wb") as out:
        out.write(data)
    return path


def canonical(algorithm, content):
    """The bytes that are signed."""
    return LABEL + algorithm.encode() + b"\n" + json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def make(banned, issuer, key, at, valid):
    """The signed document as text. valid: seconds; only proven bans of `banned` are in it."""
    if not 60 <= valid <= VALID_MAX.total_seconds():
        raise Problem("a list may be valid for 60 s to 7 days, not %d s" % valid)
    proven = [ban for ban in banned if ban.proof in evidence.PROOFS]
    if len(proven) > ENTRIES_MAX:
        raise Problem("a list may have %d entries, not %d" % (ENTRIES_MAX, len(proven)))
    content = {
        "format": 1, "issuer": feed_limits.source_name(issuer),
        # the clock in milliseconds: grows without a file that could get lost
        "serial": int(at.timestamp() * 1000), "issued": timestamp.print_s(at),
        "expires": timestamp.print_s(at + datetime.timedelta(seconds=valid)),
        "entries": [{"cidr": addresses.text_of(ban.net), "ttl": ban.ttl, "reason": ban.reason, "proof": ban.proof}
                    for ban in proven]}
    value = base64.b64encode(key.sign(canonical(key.algorithm, content))).decode()
    return json.dumps({"list": content, "signature": {"algorithm": key.algorithm, "value": value}}, indent=1) + "\n"


def verify(data, issuer, key, at, last_serial):
    """(serial, [feeds.Item, ...]) of a document; Problem says why it is refused as a whole."""
    content = _signed_content(data, key)
    if set(content) != _LIST_KEYS or content["format"] != 1 or type(content["format"]) is not int:
        raise Problem("the list is of a form that is not known here")
    if content["issuer"] != issuer:
        raise Problem("the list is not from %s" % issuer)
    issued = _check_times(content, at)
    serial = content["serial"]
    if type(serial) is not int or not 0 < serial < 1 << 53:
        raise Problem("the list's serial is not a number")
    if serial <= last_serial:
        raise Problem("the list is an old one: serial %d, but %d was seen" % (serial, last_serial))
    entries = content["entries"]
    if not isinstance(entries, list) or len(entries) > ENTRIES_MAX:
        raise Problem("the list has no entries or more than %d" % ENTRIES_MAX)
    age = max(0, int((at - issued).total_seconds()))
    items = [_item(number, entry, age) for number, entry in enumerate(entries, 1)]
    return serial, [item for item in items if item.ttl > 0]


def _signed_content(data, key):
    if len(data) > SIZE_MAX:
        raise Problem("the list is longer than %d bytes" % SIZE_MAX)
    try:
        document = json.loads(data.decode("utf-8"), object_pairs_hook=_no_repeats, parse_float=_refuse,
                              parse_constant=_refuse)
        content, signature = document["list"], document["signature"]
        if set(document) != {"list", "signature"} or set(signature) != {"algorithm", "value"}:
            raise ValueError
        if not isinstance(content, dict) or not _BASE64.fullmatch(signature["value"]):
            raise ValueError
        value = base64.b64decode(signature["value"], validate=True)
        if base64.b64encode(value).decode() != signature["value"]:
            raise ValueError  # the same bytes in another spelling
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Problem("this is not a signed list") from None
    # the key says which algorithm is good, never the document
    if signature["algorithm"] != key.algorithm:
        raise Problem("the list is signed in another way than with your key (%s)" % key.algorithm)
    if not key.good(canonical(key.algorithm, content), value):
        raise Problem("the signature is wrong: the list was changed, or signed with another key")
    return content


def _no_repeats(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _refuse(_text):
    raise ValueError("no such number")


def _check_times(content, at):
    try:
        issued, expires = timestamp.parse(content["issued"]), timestamp.parse(content["expires"])
    except ValueError:
        raise Problem("the list's times cannot be read") from None
    if issued > at + CLOCKS_DIFFER:
        raise Problem("the list is from the future: %s" % content["issued"])
    if expires <= at:
        raise Problem("the list has expired: %s" % content["expires"])
    if not issued < expires <= issued + VALID_MAX:
        raise Problem("the list says that it is valid for too long")
    return issued


def _item(number, entry, age):
    good = (isinstance(entry, dict) and set(entry) == _ENTRY_KEYS and isinstance(entry["cidr"], str)
            and type(entry["ttl"]) is int and 0 < entry["ttl"] <= bans.TTL_MAX
            and entry["reason"] in (*evidence.REASONS, "other") and entry["proof"] in evidence.PROOFS)
    if not good:
        raise Problem("entry %d of the list is not as agreed" % number)
    return Item(number, entry["cidr"], entry["ttl"] - age, None)


class Serials:
    """The last serial of each issuer, in a file: no list is taken twice, no older one after a newer."""

    def __init__(self, path):
        self.path = path
        self.last = files.read_json(path, {})
        if not all(type(value) is int for value in self.last.values()):
            raise Problem("%s is damaged: put a copy back" % path)

    def save(self, issuer, serial):
        """On the disk before this returns."""
        self.last[issuer] = serial
        files.write_atomic(self.path, json.dumps(self.last, indent=1, sort_keys=True) + "\n")

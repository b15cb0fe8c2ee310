# SPDX-License-Identifier: GPL-2.0-or-later
"""Signed lists between operators: whoever changes, replays, delays or forges one is refused."""
import base64
import copy
import datetime
import hashlib
import hmac
import json
import os
import shutil
import subprocess

import pytest

from lib.fakerpc import FakeRpc
from lib.offenders import AT, ban
from authban_lib import bans, signed

BANS = [ban("203.0.113.7"), ban("2001:db8:1:2::/64", ttl=3600, proof="stream", reason="slow")]
ALIEN = [ban("203.0.113.100", origin="proxy-b"), ban("203.0.113.101", proof="operator", reason="operator"),
         ban("203.0.113.102", proof="none"), ban("203.0.113.103", state="dry_run")]


def later(**span):
    return AT + datetime.timedelta(**span)


class Partners:
    """Two operators: one signs, the other verifies."""

    def __init__(self, desk, kind):
        self.desk, self.kind = desk, kind
        self.bans = desk.write("bans.json", json.dumps(BANS + ALIEN))
        if kind == "hmac":
            secret = desk.write("secret", os.urandom(32).hex())
            self.signs = self.verifies = ["--secret", secret]
        else:
            self.signs, self.verifies = self.pair("pair")
        self.serials = desk.path("partner", "serials.json")

    def pair(self, name):
        """Options of a new key pair: (private, public)."""
        private, public = self.desk.path(name + ".key"), self.desk.path(name + ".pub")
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True, timeout=20)
        subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True, timeout=20)
        os.chmod(private, 0o600)
        return ["--private-key", private], ["--public-key", public]

    def sign(self, *words, at=AT):
        """A signed document as text."""
        status, out, errors = self.desk.lists("sign", "--issuer", "example-telecom", *self.signs, "--from", self.bans,
                                              "--node", "proxy-a", *words, at=at)
        assert status == 0, errors
        return out

    def verify(self, text, *words, at=AT, issuer="example-telecom", keys=None):
        """(status, lines, errors)"""
        return self.desk.lists("verify", "--issuer", issuer, *(keys or self.verifies), "--serials", self.serials,
                               *words, at=at, stdin=text)

    def key(self):
        """What signs, for forgers within."""
        return signed.Secret(self.signs[1]) if self.kind == "hmac" else signed.Ed25519(self.signs[1], public=False)

    def resigned(self, change):
        """A document that change(list) has changed, with a good signature."""
        document = json.loads(self.sign())
        document["list"] = change(document["list"]) or document["list"]
        value = self.key().sign(signed.canonical(self.key().algorithm, document["list"]))
        document["signature"]["value"] = base64.b64encode(value).decode()
        return json.dumps(document)


@pytest.fixture(params=["hmac", "ed25519"])
def partners(request, desk):
    if request.param == "ed25519" and not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    return Partners(desk, request.param)


@pytest.fixture
def by_secret(desk):
    return Partners(desk, "hmac")


GOOD = "203.0.113.7 590 example-telecom\n2001:db8:1:2::/64 3600 example-telecom\n"


def test_a_signed_list_is_taken(partners):
    status, out, errors = partners.verify(partners.sign())
    assert (status, out) == (0, GOOD), errors
    assert "taken 2" in errors


def test_only_our_proven_bans_are_in_it(by_secret):
    entries = json.loads(by_secret.sign())["list"]["entries"]
    assert [entry["cidr"] for entry in entries] == ["203.0.113.7", "2001:db8:1:2::/64"]
    assert all(set(entry) == {"cidr", "ttl", "reason", "proof"} for entry in entries)
    assert by_secret.desk.lists("sign", "--issuer", "x", *by_secret.signs, "--from", by_secret.bans, "--all")[0] == 1


def test_who_signs_by_another_way_signs_the_proven_too(by_secret):
    every, _ = bans.read(BANS + ALIEN, everything=True)
    made = signed.make(every, "x", by_secret.key(), AT, 3600)
    assert len(every) == 5 and {entry["proof"] for entry in json.loads(made)["list"]["entries"]} == {"token", "stream"}


def test_a_second_hand_makes_the_same_signature(by_secret):
    """The form is what the manual says, so that others can write it."""
    document = json.loads(by_secret.sign())
    with open(by_secret.signs[1], "rb") as text:
        secret = text.read()
    data = b"authban list 1\nhmac-sha256\n" + json.dumps(
        document["list"], sort_keys=True, separators=(",", ":")).encode("ascii")
    assert document["signature"]["value"] == base64.b64encode(hmac.digest(secret, data, hashlib.sha256)).decode()


CHANGES = {
    "an entry more": lambda d: d["list"]["entries"].append(dict(d["list"]["entries"][0], cidr="198.51.100.1")),
    "an entry less": lambda d: d["list"]["entries"].pop(),
    "another address": lambda d: d["list"]["entries"][0].update(cidr="203.0.113.8"),
    "a longer time": lambda d: d["list"]["entries"][0].update(ttl=86400),
    "entries turned": lambda d: d["list"]["entries"].reverse(),
    "another serial": lambda d: d["list"].update(serial=d["list"]["serial"] + 1),
    "a later end": lambda d: d["list"].update(expires="2026-02-02T12:00:00Z"),
    "another issuer": lambda d: d["list"].update(issuer="other-telecom"),
    "a key more": lambda d: d["list"].update(more=1),
    "no signature": lambda d: d["signature"].update(value=""),
    "a zero signature": lambda d: d["signature"].update(value=base64.b64encode(b"\0" * 32).decode()),
    "a short signature": lambda d: d["signature"].update(value=d["signature"]["value"][:24]),
    "another algorithm": lambda d: d["signature"].update(algorithm="none"),
    "the other algorithm": lambda d: d["signature"].update(
        algorithm="ed25519" if d["signature"]["algorithm"] == "hmac-sha256" else "hmac-sha256"),
    "something beside": lambda d: d.update(more=1),
    "no list": lambda d: d.pop("list"),
    "a list of lists": lambda d: d.update(list=[d["list"]]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_list_is_refused(partners, name):
    text = partners.sign()
    document = json.loads(text)
    CHANGES[name](document)
    status, out, errors = partners.verify(json.dumps(document))
    assert status == 1 and out == "" and errors.count("\n") == 1
    assert partners.verify(text)[:2] == (0, GOOD), "control: and the true one is still taken"


def test_every_byte_that_is_changed_is_told(by_secret):
    """Each single character of the document replaced: refused, or (in white space) the same list."""
    text = by_secret.sign()
    content, taken = json.loads(text)["list"], 0
    key = by_secret.key()
    for at in range(len(text)):
        changed = text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1:]
        try:
            signed.verify(changed.encode(), "example-telecom", key, AT, 0)
            taken += 1
            assert json.loads(changed)["list"] == content
        except signed.Problem:
            pass
    assert taken == 0
    print("\nsigned: %d characters, each changed once: all refused" % len(text))


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"list": {}, "signature": {}}', "[" * 100000, "\xff",
                                  '{"list": {"a": 1, "a": 2}, "signature": {"algorithm": "hmac-sha256", "value": ""}}'])
def test_what_is_no_signed_list_is_refused(by_secret, text):
    status, out, errors = by_secret.verify(text.encode("latin-1"))
    assert status == 1 and out == "" and "not a signed list" in errors


def test_keys_that_are_there_twice_and_fractions_are_refused(by_secret):
    text = by_secret.sign()
    for changed in (text.replace('"ttl": 590', '"ttl": 590.0'), text.replace('"ttl": 590', '"ttl": 590, "ttl": 590'),
                    text.replace('"ttl": 590', '"ttl": NaN')):
        assert changed != text and "not a signed list" in by_secret.verify(changed)[2]


# --- time and replay ---

def test_a_list_is_taken_once(partners):
    text = partners.sign()
    assert partners.verify(text)[0] == 0
    status, out, errors = partners.verify(text)
    assert status == 1 and out == "" and "an old one" in errors


def test_an_older_list_is_not_taken_after_a_newer_one(by_secret):
    old, new = by_secret.sign(), by_secret.sign(at=later(seconds=60))
    assert by_secret.verify(new, at=later(seconds=61))[0] == 0
    assert "an old one" in by_secret.verify(old, at=later(seconds=62))[2]
    assert by_secret.verify(by_secret.sign(at=later(seconds=70)), at=later(seconds=71))[0] == 0


@pytest.mark.parametrize("at, why", [
    ({"days": 1}, "has expired"), ({"days": 400}, "has expired"), ({"minutes": -6}, "from the future"),
    ({"days": -400}, "from the future")])
def test_a_list_at_the_wrong_time_is_refused(by_secret, at, why):
    status, out, errors = by_secret.verify(by_secret.sign(), at=later(**at))
    assert status == 1 and out == "" and why in errors


def test_clocks_may_differ_a_little_and_time_runs(by_secret):
    assert by_secret.verify(by_secret.sign(), at=later(minutes=-4))[1] == GOOD
    out = by_secret.verify(by_secret.sign(at=later(seconds=1)), at=later(seconds=591))[1]
    assert out == "2001:db8:1:2::/64 3010 example-telecom\n", "what has ended in between is not taken"


@pytest.mark.parametrize("valid", ["30s", "8d", "0"])
def test_nobody_signs_for_too_long(by_secret, valid):
    status, _, errors = by_secret.desk.lists("sign", "--issuer", "x", *by_secret.signs, "--from", by_secret.bans,
                                             "--node", "proxy-a", "--valid", valid)
    assert status == 1 and "60 s to 7 days" in errors


# --- a partner who is not honest, or not careful ---

INSIDE = {
    "valid for a year": lambda l: l.update(expires="2027-01-31T12:00:00Z"),
    "a user": lambda l: l["entries"][0].update(user="alice"),
    "no proof": lambda l: l["entries"][0].update(proof="none"),
    "an operator's ban": lambda l: l["entries"][0].update(proof="operator"),
    "words": lambda l: l["entries"][0].update(reason="alice called"),
    "a time of text": lambda l: l["entries"][0].update(ttl="590"),
    "a true time": lambda l: l["entries"][0].update(ttl=True),
    "a serial of text": lambda l: l.update(serial="9"),
    "a negative serial": lambda l: l.update(serial=-1),
    "a giant serial": lambda l: l.update(serial=1 << 60),
    "another format": lambda l: l.update(format=2),
    "no entries": lambda l: l.update(entries={}),
    "somebody else's name": lambda l: l.update(issuer="other-telecom"),
    "backwards": lambda l: l.update(expires="2026-01-31T11:00:00Z"),
}


@pytest.mark.parametrize("name", INSIDE)
def test_a_good_signature_does_not_make_a_bad_list_good(by_secret, name):
    status, out, errors = by_secret.verify(by_secret.resigned(INSIDE[name]))
    assert status == 1 and out == "" and "signature" not in errors
    assert by_secret.verify(by_secret.resigned(copy.copy))[1] == GOOD, "control"


def test_the_limits_of_lists_hold_for_partners_too(by_secret):
    def widen(content):
        content["entries"] += [dict(content["entries"][0], cidr=net) for net in (
            "0.0.0.0/0", "203.0.0.0/16", "10.0.0.1", "127.0.0.1", "198.51.100.7", "x")]
    own = by_secret.desk.write("own", "198.51.100.0/24\n")
    status, out, errors = by_secret.verify(by_secret.resigned(widen), "--protect", own)
    assert (status, out) == (0, GOOD) and "refused 6" in errors


# --- keys ---

def test_another_key_is_no_key(partners):
    text = partners.sign()
    if partners.kind == "hmac":
        other = ["--secret", partners.desk.write("other", os.urandom(32).hex())]
    else:
        other = partners.pair("other")[1]
    assert "signature is wrong" in partners.verify(text, keys=other)[2]
    assert "not from other" in partners.verify(text, issuer="other")[2]


@pytest.mark.parametrize("data, mode, why", [
    ("k" * 31, 0o600, "31 bytes: 32"), ("k" * 40, 0o604, "everybody can read"), ("k" * 5000, 0o600, "32 to 4096"),
    (None, 0, "cannot read the secret")])
def test_weak_secrets_are_refused(by_secret, data, mode, why):
    path = by_secret.desk.write("weak", data, mode) if data else "/no/such/file"
    for words in (("sign", "--issuer", "x", "--from", by_secret.bans, "--node", "proxy-a"),
                  ("verify", "--issuer", "x", "--serials", by_secret.serials)):
        status, out, errors = by_secret.desk.lists(*words, "--secret", path, stdin=None)
        assert status == 1 and out == "" and why in errors
        assert data is None or data not in errors


def test_a_key_of_another_kind_is_refused(desk):
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    rsa = desk.path("rsa.key")
    subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", rsa],
                   check=True, timeout=30)
    os.chmod(rsa, 0o600)
    for words in (("sign", "--issuer", "x", "--private-key", rsa), ("verify", "--issuer", "x", "--public-key", rsa)):
        status, out, errors = desk.lists(*words)
        assert status == 1 and out == "" and "Ed25519" in errors


def test_the_module_gets_a_verified_list_and_a_failure_can_be_repeated(by_secret):
    text, path = by_secret.sign(), by_secret.desk.path("rpc")
    calls = {"authban.allow_list": [], "authban.feed_add": 500}
    with FakeRpc(path, calls) as module:
        assert by_secret.verify(text, "--apply", "--rpc", path)[0] == 1
        calls["authban.feed_add"] = lambda *_: {}
        assert by_secret.verify(text, "--apply", "--rpc", path)[0] == 0, "it was not taken, so it is no replay"
        assert by_secret.verify(text, "--apply", "--rpc", path)[0] == 1
    assert module.calls[-2] == ("authban.feed_add", ["example-telecom", "203.0.113.7", 590, "2001:db8:1:2::/64", 3600])


def test_a_damaged_file_of_serials_is_told(by_secret):
    os.makedirs(os.path.dirname(by_secret.serials))
    for text in ("", "[]", '{"example-telecom": "9"}'):
        by_secret.desk.write("partner/serials.json", text)
        status, out, errors = by_secret.verify(by_secret.sign())
        assert status == 1 and out == "" and "damaged" in errors

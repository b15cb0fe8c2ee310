# SPDX-License-Identifier: GPL-2.0-or-later
"""What authban-lists gives away: only local proven bans, in four forms that others read."""
import datetime
import ipaddress
import json
import os
import re
import shutil
import subprocess

import pytest

from lib.fakerpc import FakeRpc
from lib.netns import Net
from lib.offenders import AT, ban

OURS = [ban("203.0.113.7"), ban("203.0.113.9", ttl=86400, reason="network"), ban("198.51.100.3", ttl=1),
        ban("2001:db8:1:2::/64", proof="stream", reason="slow")]
OTHERS = [ban("203.0.113.100", origin="proxy-b"), ban("203.0.113.101", proof="operator", reason="operator"),
          ban("203.0.113.102", proof="none"), ban("192.0.2.0/24", proof="operator", reason="ticket_12"),
          ban("192.0.2.7", origin="proxy-b"), ban("203.0.113.103", reason="operator")]
NEVER = [ban("203.0.113.200", state="dry_run"), ban("203.0.113.201", ttl=0)]
STATUS = {"node": "proxy-a"}


def exported(desk, form, *words, rows=None):
    """Text of one export, over the socket."""
    table = {"authban.list": OURS + OTHERS + NEVER if rows is None else rows, "authban.status": lambda: STATUS}
    with FakeRpc(desk.path("rpc"), table):
        done = desk.run("authban-lists", "export", "--format", form, "--rpc", desk.path("rpc"), *words)
    os.unlink(desk.path("rpc"))
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout


def sources(rows):
    return sorted(row["source"] for row in rows)


def parse_plain(text):
    return [str(ipaddress.ip_network(line)) for line in text.splitlines()]


# --- what is in it ---

def test_only_local_proven_bans_are_given_away(desk):
    assert sorted(exported(desk, "plain").splitlines()) == sources(OURS)
    assert sorted(exported(desk, "plain", "--all").splitlines()) == sources(OURS + OTHERS)


def test_a_saved_list_needs_the_name_of_its_proxy(desk):
    saved = desk.write("bans.json", json.dumps(OURS + OTHERS + NEVER))
    status, _, errors = desk.lists("export", "--from", saved)
    assert status == 1 and "--node" in errors
    assert sorted(desk.lists("export", "--from", saved, "--node", "proxy-a")[1].split()) == sources(OURS)
    assert desk.lists("export", "--from", saved, "--node", "proxy-b")[1].split() == ["192.0.2.7", "203.0.113.100"]


def test_every_page_is_in_it(desk):
    rows = [ban("203.%d.%d.1" % (n // 250, n % 250)) for n in range(523)]
    assert len(exported(desk, "plain", rows=rows).splitlines()) == 523


def test_a_wrong_row_is_left_out_and_named(desk):
    rows = [ban("203.0.113.7"), ban("203.0.113.8; flush ruleset"), ban("203.0.113.9", ttl="1s } }"), {"source": 1}]
    saved = desk.write("bans.json", json.dumps(rows))
    for form in ("plain", "nft", "crowdsec", "stix"):
        status, out, errors = desk.lists("export", "--from", saved, "--node", "proxy-a", "--format", form)
        assert status == 0 and "flush ruleset" not in out and errors.count("not as authban.list tells it") == 3


# --- plain ---

def test_plain_is_one_network_a_line(desk):
    assert sorted(parse_plain(exported(desk, "plain"))) == sorted(str(ipaddress.ip_network(s)) for s in sources(OURS))


# --- nft ---

NFT_LINE = re.compile(
    r"add table inet \w+|add set inet \w+ authban[46] \{ type ipv[46]_addr; flags interval, timeout; \}"
    r"|flush set inet \w+ authban[46]"
    r"|add element inet \w+ authban[46] \{ [0-9a-f.:/]+ timeout \d+s(, [0-9a-f.:/]+ timeout \d+s)* \}", re.ASCII)


@pytest.mark.parametrize("words", [(), ("--all",), ("--table", "edge_1")])
def test_nft_follows_its_grammar(desk, words):
    text = exported(desk, "nft", *words)
    assert all(NFT_LINE.fullmatch(line) for line in text.splitlines()), text
    members = re.findall(r"([0-9a-f.:/]+) timeout (\d+)s", text)
    assert ("203.0.113.9", "86400") in members and ("2001:db8:1:2::/64", "590") in members
    nets = [ipaddress.ip_network(source) for source, _ in members]
    assert not any(a != b and a.version == b.version and a.overlaps(b) for a in nets for b in nets)


def test_nft_with_nobody_banned_empties_the_sets(desk):
    text = exported(desk, "nft", rows=[])
    assert "element" not in text and text.count("flush set") == 2


def test_nft_takes_no_other_words_for_a_table(desk):
    saved = desk.write("bans.json", "[]")
    assert desk.lists("export", "--from", saved, "--all", "--format", "nft", "--table", "x; flush ruleset")[0] == 1


@pytest.fixture(scope="module")
def firewall():
    """nft(text, *words) in a namespace of its own: (status, output)."""
    if not shutil.which("nft"):
        pytest.skip("nft is not installed (package nftables): only the grammar was checked")
    with Net({"wall": ["10.99.0.1/24"]}) as net:
        def nft(*words, stdin=""):
            done = subprocess.run(["ip", "netns", "exec", net["wall"], "nft", *words], input=stdin, text=True,
                                  capture_output=True, timeout=20, check=False)
            return done.returncode, done.stdout + done.stderr
        status, out = nft("list", "tables")
        if status:
            pytest.skip("this kernel has no nftables: " + out.strip())
        yield nft


def test_nft_itself_takes_it(desk, firewall):
    for words in ((), ("--all",)):
        text = exported(desk, "nft", *words)
        assert firewall("-c", "-f", "-", stdin=text) == (0, "")
        assert firewall("-f", "-", stdin=text)[0] == 0
        assert firewall("-f", "-", stdin=text)[0] == 0, "a second time too"
    held = firewall("list", "set", "inet", "authban", "authban4")[1]
    assert "203.0.113.7 timeout 9m50s" in held and "192.0.2.0/24" in held
    assert firewall("-f", "-", stdin=exported(desk, "nft", rows=[]))[0] == 0
    assert "203.0.113" not in firewall("list", "set", "inet", "authban", "authban4")[1]
    assert firewall("-c", "-f", "-", stdin=text.replace("timeout", "timeot"))[0] != 0, "control: nft does refuse"


# --- CrowdSec, STIX ---

def test_crowdsec_reads_it_and_so_do_we(desk):
    text = exported(desk, "crowdsec")
    rows = json.loads(text)
    assert sources(OURS) == sorted(row["value"] for row in rows)
    for row in rows:
        assert row["type"] == "ban" and row["scope"] == ("range" if "/" in row["value"] else "ip")
        assert re.fullmatch(r"\d+s", row["duration"]) and row["reason"].startswith("authban/")
    _, out, errors = desk.lists("import", "--source", "peer", "--format", "crowdsec", stdin=text)
    assert "203.0.113.9 86400 peer\n" in out and "taken 4" in errors


def stix_faults(bundle):
    """What STIX 2.1 asks of our kinds of object."""
    found = []
    number = r"[0-9a-f]{8}-[0-9a-f]{4}-[45][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    if bundle["type"] != "bundle" or not re.fullmatch("bundle--" + number, bundle["id"]):
        found.append("bundle")
    for one in bundle["objects"]:
        need = {"type", "spec_version", "id", "created", "modified"} | (
            {"pattern", "pattern_type", "valid_from"} if one["type"] == "indicator" else {"name"})
        if need - set(one) or one["spec_version"] != "2.1" or not re.fullmatch(one["type"] + "--" + number, one["id"]):
            found.append(one.get("id"))
        times = [one[k] for k in ("created", "modified", "valid_from", "valid_until") if k in one]
        if not all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text) for text in times):
            found.append("times of " + one["id"])
        if one["modified"] < one["created"] or one.get("valid_until", "9") <= one.get("valid_from", ""):
            found.append("order of " + one["id"])
    return found


def test_stix_indicators_end(desk):
    saved = desk.write("bans.json", json.dumps(OURS))
    text = desk.lists("export", "--from", saved, "--node", "proxy-a", "--format", "stix", "--issuer", "We")[1]
    bundle = json.loads(text)
    assert stix_faults(bundle) == []
    indicators = [one for one in bundle["objects"] if one["type"] == "indicator"]
    assert {one["pattern"] for one in indicators} == {
        "[ipv4-addr:value = '203.0.113.7']", "[ipv4-addr:value = '203.0.113.9']", "[ipv4-addr:value = '198.51.100.3']",
        "[ipv6-addr:value ISSUBSET '2001:db8:1:2::/64']"}
    ends = {one["pattern"]: one["valid_until"] for one in indicators}
    assert ends["[ipv4-addr:value = '203.0.113.9']"] == "2026-02-01T12:00:00.000Z"
    again = json.loads(desk.lists("export", "--from", saved, "--node", "proxy-a", "--format", "stix", "--issuer", "We",
                                  at=AT + datetime.timedelta(seconds=60))[1])
    assert [one["id"] for one in again["objects"]] == [one["id"] for one in bundle["objects"]], "an update, no new one"


@pytest.mark.parametrize("change", [("pattern",), ("valid_from",), ("id", "indicator--1"), ("spec_version", "2.0"),
                                    ("valid_until", "2020-01-01T00:00:00.000Z"), ("created", "2026-01-31T12:00:00Z")])
def test_control_a_wrong_bundle_is_told(desk, change):
    saved = desk.write("bans.json", json.dumps(OURS))
    bundle = json.loads(desk.lists("export", "--from", saved, "--node", "proxy-a", "--format", "stix")[1])
    if len(change) == 1:
        del bundle["objects"][1][change[0]]
    else:
        bundle["objects"][1][change[0]] = change[1]
    assert stix_faults(bundle)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Lists of others: what is taken, and that a poisoned one takes nothing but its own lines."""
import contextlib
import json
import os
import re
import subprocess
import sys

import pytest

from lib import SCRIPTS
from lib.fakerpc import FakeRpc
from lib.kamailio import Proxy
from lib.netns import Net
from lib.sip import Guesser, Phone
from lib.wait import wait_for
from authban_lib import feed_limits, feed_sinks, feeds
from proxies import RpcFault

PLAIN = """\
# a comment
; another
203.0.113.7
203.0.113.8   # why
203.0.114.0/24;2026-01-01
\ufeff
  2001:db8:1::/48
::ffff:198.51.100.9
::ffff:198.51.101.0/120
"""
TAKEN = ["203.0.113.7", "203.0.113.8", "203.0.114.0/24", "2001:db8:1::/48", "198.51.100.9", "198.51.101.0/24"]


def imported(desk, text, *words):
    """([(network, seconds), ...], what was told) of one import."""
    status, out, errors = desk.lists("import", "--source", "feed-1", *words, stdin=text)
    assert status == 0, errors
    lines = [line.split(" ") for line in out.splitlines()]
    assert all(len(line) == 3 and line[2] == "feed-1" for line in lines)
    return [(line[0], int(line[1])) for line in lines], errors


def refusals(errors):
    """{line number: reason} of those that are named."""
    return {int(n): why for n, why in re.findall(r"^authban-lists: line (\d+): .*: ([^:\n]+)$", errors, re.M)}


def test_plain_text_is_read(desk):
    found, errors = imported(desk, PLAIN)
    assert found == [(net, 86400) for net in TAKEN] and "taken 6" in errors and "refused 0" in errors


def test_normalized_lines_are_read_again(desk):
    found, _ = imported(desk, "203.0.113.7 60 x\n203.0.113.8 0 x\n203.0.113.9 99999999\n", "--format", "lines")
    assert sorted(found) == [("203.0.113.7", 60), ("203.0.113.8", 0), ("203.0.113.9", 7 * 86400)]
    _, errors = imported(desk, "203.0.113.7\n203.0.113.7 1h x\n203.0.113.7 1 x y\n", "--format", "lines")
    assert set(refusals(errors)) == {1, 2, 3}


def test_apiban_is_read(desk):
    found, _ = imported(desk, json.dumps({"ID": "1643", "ipaddress": ["203.0.113.7", "2001:db8::7"]}))
    assert found == [("203.0.113.7", 86400), ("2001:db8::7", 86400)]
    found, errors = imported(desk, json.dumps({"ipaddress": ["no new bans"], "ID": "none"}))
    assert found == [] and "refused 0" in errors
    _, errors = imported(desk, json.dumps({"ID": "1", "ipaddress": ["x", 7, None, "203.0.113.7"]}))
    assert set(refusals(errors)) == {1, 2, 3} and "taken 1" in errors


def decision(value, **more):
    return {"value": value, "scope": "Ip", "type": "ban", "duration": "3h59m59.5s", "scenario": "x", "origin": "CAPI",
            "id": 1, **more}


def test_crowdsec_is_read(desk):
    new = [decision("203.0.113.7"), decision("203.0.114.0/24", scope="Range", duration="15m"),
           decision("203.0.113.9", duration="-5s"), decision("DE", scope="Country"),
           decision("203.0.113.10", type="captcha"), decision("203.0.113.11", duration="forever"), "203.0.113.12"]
    document = {"new": new, "deleted": [decision("203.0.113.99", duration="-1s")]}
    found, errors = imported(desk, json.dumps(document))
    assert found == [("203.0.113.99", 0), ("203.0.113.7", 14399), ("203.0.114.0/24", 900)]
    assert refusals(errors) == {3: "it has expired", 4: "its scope is not ip or range", 5: "its type is not ban",
                                6: "its duration cannot be read", 7: "not an address in text"}
    assert imported(desk, json.dumps({"new": None, "deleted": None}))[0] == []


@pytest.mark.parametrize("text, seconds", [
    ("4h", 14400), ("1h2m3.5s", 3723), ("90s", 90), ("250ms", 0), ("-1h", -3600), ("24h0m0s", 86400), ("1m30s", 90),
    ("", None), ("4", None), ("h", None), ("4d", None), ("4h ", None), (4, None), ("1" * 70 + "h", None)])
def test_durations(text, seconds):
    assert feeds.duration(text) == seconds


# --- poison ---

HOSTILE = ["0.0.0.0/0", "::/0", "0.0.0.0", "203.0.0.0/8", "203.0.112.0/23", "2001:db8::/32", "10.1.2.3", "127.0.0.1",
           "224.0.0.1", "fe80::1", "fe80::1%eth0", "255.255.255.255", "::1", "203.0.113.7/24",
           "203.0.113.0/255.255.255.0",
           "0x7f.1", "2130706433", "203.0.113.07", "203.0.113", "example.org", "$(reboot)", "203.0.113.7/-1", "/24",
           "\x1b]0;x\x07", "\u0661.2.3.4", "A" * 5000, "203.0.113.7/\u0663\u0662", "../../etc/passwd", "'; DROP TABLE",
           "203.0.113.7/33", "2001:db8::1/129", "::ffff:0.0.0.0/96", "::ffff:10.0.0.1", "198.51.100.7"]


def test_a_poisoned_list_is_refused_line_by_line(desk):
    desk.write("own", "# ours\n198.51.100.0/28\n2001:db8:9::/48\n203.0.113.50\n")
    lines = HOSTILE + ["2001:db8:9:1::/64", "203.0.113.0/24", "203.0.115.7"]
    found, errors = imported(desk, "\n".join(lines) + "\n", "--protect", desk.path("own"))
    assert found == [("203.0.115.7", 86400)]
    assert "refused %d" % (len(lines) - 1) in errors.splitlines()[-1]
    named = refusals(errors)
    assert len(named) == feed_limits.NAMED_MAX and set(named) == set(range(1, 21))
    assert "\x1b" not in errors and "\x07" not in errors and max(map(len, errors.splitlines())) < 300
    print("\npoisoned: %d of %d lines refused, %d named" % (len(lines) - 1, len(lines), len(named)))


def test_what_is_named_is_short_and_plain_for_whoever_prints_it():
    taken = feed_limits.apply([feeds.Item(1, "\x1b[31m" + "A" * 900, None, None)], feed_limits.Limits())
    (named,) = taken.named
    assert named.isascii() and named.isprintable() and len(named) < 120


def test_control_each_hostile_line_alone(desk):
    """Besides the one that only --protect refuses, each is refused for itself."""
    for text in HOSTILE[:-1]:
        assert imported(desk, text + "\n")[0] == [], text
    assert imported(desk, HOSTILE[-1] + "\n")[0] == [(HOSTILE[-1], 86400)]


FLOOD = """
import resource, sys
sys.path.insert(0, %r)
from authban_lib import feeds, lists_command
feeds.read.__defaults__ = (int(sys.argv[2]),)
status = lists_command.main(["import", "--source", "flood", "--total", sys.argv[1], "--protect", sys.argv[3]])
print("status=%%d peak_kb=%%d" %% (status, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss), file=sys.stderr)
""" % SCRIPTS
WRITER = """
import sys
hostile, lines = sys.argv[2].encode() + b"\\n", int(sys.argv[1])
for at in range(0, lines, 10000):
    out = [b"%d.%d.%d.%d\\n" % (20 + n % 7, n >> 16 & 255, n >> 8 & 255, n & 255) for n in range(at, at + 10000)]
    out[::100] = [hostile] * 100
    sys.stdout.buffer.write(b"".join(out))
"""


def flood(desk, lines, total, read, hostile):
    """(taken lines, told) of a list of so many addresses by a pipe; each hundredth line is another."""
    long = os.environ.get("AUTHBAN_LONG") == "1"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(lines), hostile], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as source:
        done = subprocess.run([sys.executable, "-c", FLOOD, str(total), str(read), desk.path("own")],
                              stdin=source.stdout, capture_output=True, text=True, timeout=600 if long else 60,
                              check=False)
        source.stdout.close()
        source.wait(30)
    return done.stdout.splitlines(), done.stderr


@pytest.mark.parametrize("hostile", ["0.0.0.0/0", "198.51.100.7", "$(reboot)"])
def test_ten_million_lines_need_little_memory(desk, hostile):
    """Short form: a million. Each is taken, refused for a reason, or counted behind the last one that is read."""
    desk.write("own", "198.51.100.0/28\n")
    long = os.environ.get("AUTHBAN_LONG") == "1"
    lines, read, total = (10_000_000, 1_000_000, 100_000) if long else (1_000_000, 40_000, 20_000)
    taken, told = flood(desk, lines, total, read, hostile)
    peak = int(re.search(r"peak_kb=(\d+)", told).group(1))
    counts = {why: int(n) for n, why in re.findall(r"^authban-lists: refused (\d+): (.*)$", told, re.M)}
    print("\nflood: lines=%d taken=%d refused=%s peak=%d MB" % (lines, len(taken), counts, peak // 1024))
    assert len(taken) == total and not [line for line in taken if line.split("/")[0] == hostile.split("/")[0]]
    assert counts.pop("behind line %d, where reading ends" % read) == lines - read
    assert counts.pop("more than %d entries" % total) == read * 99 // 100 - total
    assert list(counts.values()) == [read // 100], "the hostile ones, with their reason"
    assert peak < 200 * 1024


def test_a_list_without_an_end_ends(desk, monkeypatch):
    monkeypatch.setattr(feeds, "REST_MAX", 100_000)
    monkeypatch.setattr(feeds.read, "__defaults__", (10,))
    _, errors = imported(desk, "203.0.113.7\n" * 1_000_000)
    assert "refused 1: the list has no end: the rest is not counted" in errors
    assert int(re.search(r"refused (\d+): behind line 10,", errors).group(1)) < 200_000
    _, errors = imported(desk, "203.0.113.7\n" * 5 + "203.0.113.8\n" * 15 + "203.0.113.9")
    assert "refused 11: behind line 10, where reading ends" in errors


def test_as_many_are_taken_back_as_taken(desk):
    text = "".join("203.0.113.%d 0 x\n" % n for n in range(30))
    found, errors = imported(desk, text, "--format", "lines", "--total", "10")
    assert len(found) == 10 and "refused 20: more than 10 entries" in errors


def test_one_endless_line_needs_little_memory(desk):
    found, errors = imported(desk, "x" * 5_000_000 + "\n203.0.113.7\n")
    assert found == [("203.0.113.7", 86400)] and "longer than 1024 bytes" in errors
    assert len(errors) < 1000


@pytest.mark.parametrize("text", ["{", "[" * 100000, '{"ipaddress": 7}', '{"new": 7}', '{"a": 1}', '{"new": {}} x'])
def test_a_broken_document_is_one_sentence(desk, text):
    status, out, errors = desk.lists("import", "--source", "x", stdin=text)
    assert status == 1 and out == "" and errors.count("\n") == 1


def test_a_document_that_is_too_long_is_refused(desk, monkeypatch):
    monkeypatch.setattr(feeds, "JSON_MAX", 1000)
    status, _, errors = desk.lists("import", "--source", "x", stdin=json.dumps({"ipaddress": ["203.0.113.7"] * 200}))
    assert status == 1 and "longer than 1000 bytes" in errors


# --- limits ---

def test_limits_hold(desk):
    text = "\n".join("203.0.113.%d" % n for n in range(20)) + "\n203.0.113.1\n203.0.114.0/24\n"
    found, errors = imported(desk, text, "--total", "10", "--ttl", "2h", "--widest4", "25")
    assert len(found) == 10 and {ttl for _, ttl in found} == {7200}
    assert "repeated 1" in errors and "refused 10: more than 10 entries" in errors and "wider than /25" in errors
    found, _ = imported(desk, "203.0.0.0/16\n2001:db8::/32\n", "--widest4", "16", "--widest6", "32")
    assert len(found) == 2
    document = json.dumps({"new": [decision("203.0.113.7", duration="9000h"), decision("203.0.113.7", duration="1h")]})
    assert imported(desk, document)[0] == [("203.0.113.7", 7 * 86400)]
    assert imported(desk, document, "--ttl-max", "1d")[0] == [("203.0.113.7", 86400)]


@pytest.mark.parametrize("words, why", [
    (("--widest4", "8"), "widest4 is 8: 16 to 32"), (("--widest6", "16"), "widest6 is 16"),
    (("--total", "0"), "total is 0"), (("--ttl", "30d"), "ttl is"), (("--ttl-max", "365d"), "ttl_max is"),
    (("--ttl", "x"), "not a span"), (("--protect", "/no/such/file"), "cannot read /no/such/file"),
    (("--source", "A b"), "no name of a source"), (("--source", "x" * 33), "no name of a source")])
def test_wrong_limits_are_told(desk, words, why):
    status, out, errors = desk.lists("import", "--source", "x", *words, stdin="203.0.113.7\n")
    assert status == 1 and why in errors and not out


# --- to the module ---

def test_the_module_gets_it_in_batches(desk):
    calls = {"authban.allow_list": [{"net": "203.0.113.0/28", "from": "file"}, {"net": "bad"}],
             "authban.feed_add": lambda *_: {"entries": 1}, "authban.feed_drop": lambda *_: {"entries": 1}}
    text = "\n".join("203.0.%d.%d 600 x" % (113 + n // 250, n % 250) for n in range(250)) + "\n198.51.100.1 0 x\n"
    with FakeRpc(desk.path("rpc"), calls) as module:
        done = desk.run("authban-lists", "import", "--source", "feed-1", "--apply", "--rpc", module.path,
                        "--format", "lines", desk.write("list", text))
    assert done.returncode == 0 and done.stdout == "" and "sent 234 entries, took back 1" in done.stderr
    adds = [params for method, params in module.calls if method == "authban.feed_add"]
    assert [len(params) for params in adds] == [201, 201, 69] and all(params[0] == "feed-1" for params in adds)
    assert adds[0][1:5] == ["203.0.113.16", 600, "203.0.113.17", 600], "the allow-list wins"
    assert [p for m, p in module.calls if m == "authban.feed_drop"] == [["feed-1", "198.51.100.1"]]


def test_a_module_that_refuses_is_one_sentence(desk):
    calls = {"authban.allow_list": [], "authban.feed_add": 400}
    with FakeRpc(desk.path("rpc"), calls) as module:
        done = desk.run("authban-lists", "import", "--source", "x", "--apply", "--rpc", module.path,
                        desk.write("list", "203.0.113.7\n"))
    assert done.returncode == 1 and "authban.feed_add after 0 entries" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_another_sink_can_be_put_in_its_place():
    class Memory:
        """What a sink is."""
        rows = []

        def call(self, *words):
            """One call."""
            self.rows.append(words)
    taken = feed_limits.apply([feeds.Item(1, "203.0.113.7", 60, None), feeds.Item(2, "203.0.113.8", 60, None)],
                              feed_limits.Limits())
    sink = feed_sinks.Module(Memory(), batch=1)
    sink.add("x", taken.adds)
    assert Memory.rows == [("authban.feed_add", "x", "203.0.113.7", 60), ("authban.feed_add", "x", "203.0.113.8", 60)]


def test_feeds_are_listed_and_dropped(desk):
    rows = [{"source": "feed-1", "entries": 3, "ttl": 77, "note": "a\nb"}]
    calls = {"authban.feed_list": rows, "authban.feed_drop": lambda *_: {"entries": 3}}
    with FakeRpc(desk.path("rpc"), calls) as module:
        done = desk.run("authban-lists", "feeds", "--rpc", module.path)
        assert done.stdout == "source=feed-1 entries=3 ttl=77 note=a\\nb\n"
        assert desk.run("authban-lists", "drop", "feed-1", "--rpc", module.path).returncode == 0
    assert module.calls[-1] == ("authban.feed_drop", ["feed-1"])


# --- the real module ---

PROXY, THRESHOLD, NET_THRESHOLD = "198.51.100.1", 6, 2
STRANGERS = ["203.0.113.%d" % number for number in range(1, 10)]


@pytest.fixture(scope="module")
def proxies():
    """A proxy that is strict and one that bans, in one network with the strangers: {action: proxy}."""
    hosts = {"strangers": [address + "/24" for address in STRANGERS], "proxy": [PROXY + "/24"]}
    with contextlib.ExitStack() as stack:
        net = stack.enter_context(Net(hosts))
        for name, prefix in (("strangers", PROXY), ("proxy", "203.0.113.0/24")):
            subprocess.run(["ip", "-n", net[name], "route", "add", prefix, "dev", "eth0"], check=True, timeout=10)
        made = {action: stack.enter_context(Proxy(
            host=PROXY, port=port, netns=net["proxy"], node="proxy-" + action, defines={"AB_THRESHOLD": THRESHOLD},
            extra='modparam("authban", "feed_size", 1000)\nmodparam("authban", "feed_action", "%s")\n' % action))
            for action, port in (("strict", 5060), ("ban", 5070))}
        made["net"] = net["strangers"]
        yield made


def tries(proxies, action, source, guesses=THRESHOLD + 1):
    """How many of so many guesses reached the password check."""
    proxy, before = proxies[action], proxies[action].evaluated()
    with Guesser("alice", proxy.target, source=source, netns=proxies["net"], timeout=0.2) as guesser:
        for number in range(guesses):
            guesser.guess("wrong-%d" % number)
    return proxy.evaluated() - before


def give(desk, proxy, text, *words):
    """Import a file for good; what was told."""
    done = desk.run("authban-lists", "import", "--source", "feed-1", "--apply", "--rpc", proxy.rpc_socket, *words,
                    desk.write("list", text))
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_an_imported_file_makes_limits_stricter(desk, proxies):
    strict = proxies["strict"]
    told = give(desk, strict, "203.0.113.1\n203.0.113.32/27\n0.0.0.0/0\n10.0.0.1\n")
    assert "sent 2 entries" in told and "refused 2" in told
    assert strict.bans() == {}, "a list alone bans nobody"
    found = [tries(proxies, "strict", source) for source in STRANGERS[:2]]
    print("\nimported: %d tries, others %d" % tuple(found))
    assert found == [NET_THRESHOLD, THRESHOLD]
    assert {source: row["reason"] for source, row in strict.bans().items()} == {
        STRANGERS[0]: "feed", STRANGERS[1]: "threshold"}
    done = desk.run("authban-lists", "export", "--rpc", strict.rpc_socket)
    assert done.stdout.split() == [STRANGERS[1]], "what a list has part in is not given on"
    assert "203.0.113.32" not in desk.run("authban-lists", "export", "--all", "--rpc", strict.rpc_socket).stdout


def test_an_imported_file_bans_where_the_operator_says_so(desk, proxies):
    give(desk, proxies["ban"], STRANGERS[0] + "\n")
    assert [tries(proxies, "ban", source, 1) for source in STRANGERS[:2]] == [0, 1]
    done = desk.run("authban-lists", "export", "--all", "--rpc", proxies["ban"].rpc_socket)
    assert done.returncode == 0 and not done.stdout.split()


def test_the_allow_list_wins(desk, proxies):
    """Before the import, by the script; after it, by the module."""
    before, after = STRANGERS[2:4]
    for action in ("strict", "ban"):
        proxies[action].rpc("authban.allow_add", before)
        assert "refused 1" in give(desk, proxies[action], "%s\n%s\n" % (before, after))
        proxies[action].rpc("authban.allow_add", after)
        assert [tries(proxies, action, source, NET_THRESHOLD + 1) for source in (before, after)] == [3, 3]


def test_a_poisoned_list_blocks_nobody_of_ours(desk, proxies):
    """Where lists ban: what the script refuses, and what would be if it came to the module without the script."""
    ban = proxies["ban"]
    allowed, customer, stranger, own = STRANGERS[5], STRANGERS[6], STRANGERS[7], PROXY
    ban.rpc("authban.allow_add", allowed)
    with Phone("bob", "bob-secret", ban.target, source=customer, netns=proxies["net"], timeout=4) as phone:
        assert phone.register().status == 200
        lines = [*HOSTILE[:-1], own, "198.51.100.0/24", "203.0.113.0/24", allowed, stranger]
        told = give(desk, ban, "\n".join(lines) + "\n")
        assert "sent 1 entries" in told and "refused %d" % (len(lines) - 1) in told
        assert [tries(proxies, "ban", source, 1) for source in (stranger, allowed)] == [0, 1]
        for wide in ("0.0.0.0/0", "::/0", "203.0.0.0/8"):
            with pytest.raises(RpcFault, match="too wide"):
                ban.rpc("authban.feed_add", "poison", wide, 60)
        ban.rpc("authban.feed_add", "poison", "203.0.0.0/16", 60, "198.51.0.0/16", 60)
        assert tries(proxies, "ban", STRANGERS[8], 1) == 0, "control: the list does block"
        assert tries(proxies, "ban", allowed, 1) == 1 and phone.register().status == 200
        assert ban.rpc("authban.get", own)["state"] == "allowed"
    ban.rpc("authban.feed_drop", "poison")
    ban.rpc("authban.feed_drop", "feed-1")


def test_a_list_that_is_not_renewed_expires(desk, proxies):
    give(desk, proxies["strict"], STRANGERS[4] + "\n", "--ttl", "1")
    give(desk, proxies["ban"], STRANGERS[4] + "\n", "--ttl", "4")
    assert tries(proxies, "ban", STRANGERS[4], 1) == 0
    wait_for(lambda: tries(proxies, "ban", STRANGERS[4], 1) == 1, 8, "the end of the entry")
    assert tries(proxies, "strict", STRANGERS[4]) == THRESHOLD


def test_the_module_holds_what_the_script_sends(desk, proxies):
    give(desk, proxies["strict"], "".join("198.18.%d.1\n198.51.%d.1\n" % (n, 101 + n) for n in range(120)))
    done = desk.run("authban-lists", "feeds", "--rpc", proxies["strict"].rpc_socket)
    assert re.search(r"^source=feed-1 entries=\d+ ttl=86\d\d\d action=strict$", done.stdout, re.M), done.stdout
    assert desk.run("authban-lists", "drop", "feed-1", "--rpc", proxies["strict"].rpc_socket).returncode == 0
    assert proxies["strict"].rpc("authban.status")["feed_entries"] == 0
    done = desk.run("authban-lists", "import", "--source", "big", "--apply", "--rpc", proxies["strict"].rpc_socket,
                    desk.write("list", "".join("20.0.%d.%d\n" % divmod(n, 200) for n in range(1100))))
    assert done.returncode == 1 and "no room for more than feed_size (1000) entries" in done.stderr

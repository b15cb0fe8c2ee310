# SPDX-License-Identifier: GPL-2.0-or-later
"""etc/authban-events.cfg: a ban reaches a real web service, and nftables gets the same source for the same time."""
import http.server
import json
import os
import queue
import re
import subprocess
import threading

import pytest

from lib import ROOT, http_async
from lib.kamailio import Proxy
from lib.lan import address_of
from lib.netns import command_inside
from lib.sip import Guesser
from lib.wait import wait_for

CONFIG = os.path.join(ROOT, "etc", "authban-events.cfg")
THRESHOLD = 3


class Service:
    """`with Service(status=200) as hook: hook.url; hook.next() -> (headers, body)`"""

    def __init__(self, status=200):
        self.calls = calls = queue.Queue()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                calls.put((dict(self.headers), body.decode()))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d/hook" % self.server.server_port

    def next(self):
        headers, body = self.calls.get(timeout=5)
        return headers, json.loads(body)

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def config(folder):
    """The file itself, with http_async_client where it was built when Debian has none."""
    with open(CONFIG, encoding="utf-8") as text:
        text = text.read()
    assert text.count('"http_async_client.so"') == 1
    path = os.path.join(str(folder), "authban-events.cfg")
    with open(path, "w", encoding="utf-8") as out:
        out.write(text.replace('"http_async_client.so"', '"%s"' % http_async.module()))
    return 'include_file "%s"\n' % path


def defines(**names):
    return "".join('#!define AUTHBAN_%s %s\n' % (name, value and '"%s"' % value) for name, value in names.items())


def attack(proxy, source, count=THRESHOLD):
    with Guesser("alice", proxy.target, source=source, timeout=1.0) as guesser:
        for number in range(count):
            guesser.guess("wrong-%d" % number)


@pytest.mark.parametrize("kind", ["http_async_client", "http_client"])
def test_a_web_service_is_told(tmp_path, kind):
    with Service() as hook:
        names = {"WEBHOOK": hook.url, "WEBHOOK_HEADER": "Authorization: Bearer of-the-test", "WEBHOOK_NODE": "node-1"}
        if kind == "http_client":
            names["WEBHOOK_SYNC"] = ""
        with Proxy(node="node-1", extra=defines(**names) + config(tmp_path), defines={"AB_THRESHOLD": THRESHOLD}) as node:
            attack(node, "127.41.1.1")
            headers, body = hook.next()
            assert headers["Authorization"] == "Bearer of-the-test" and headers["Content-Type"] == "application/json"
            row = node.rpc("authban.get", "127.41.1.1")
            assert body == {"event": "authban:ban", "ip": "127.41.1.1", "state": "banned", "reason": row["why"],
                            "failures": THRESHOLD, "ttl": body["ttl"], "origin": "node-1"}
            assert 0 <= body["ttl"] - row["ttl"] <= 5
            node.rpc("authban.unban", "127.41.1.1")
            assert hook.next()[1]["event"] == "authban:unban"
            # what an operator writes stays one text, and a network is one
            for reason in ('a "quote\\', "{}[],:'", "line\nbreak", "$var(x) %s"):
                node.rpc("authban.ban", "198.51.100.0/24", 60, reason)
                told = hook.next()[1]
                assert told["ip"] == "198.51.100.0/24" and told["reason"] and told["state"] == "banned"
                node.rpc("authban.unban", "198.51.100.0/24")
                assert hook.next()[1]["event"] == "authban:unban"
            print("\nwebhook by %s: %s" % (kind, body))
            assert not node.log_lines("the webhook")


@pytest.mark.parametrize("kind", ["http_async_client", "http_client"])
def test_a_service_that_fails_is_told_of_and_nothing_else_suffers(tmp_path, kind):
    sync = {"WEBHOOK_SYNC": ""} if kind == "http_client" else {}
    with Service(500) as hook, Proxy(extra=defines(WEBHOOK=hook.url, **sync) + config(tmp_path),
                                     defines={"AB_THRESHOLD": THRESHOLD}) as node:
        attack(node, "127.41.2.1")
        hook.next()
        wait_for(lambda: node.log_lines("the webhook answered 500"), 3, "the log says so")
    with Proxy(extra=defines(WEBHOOK="http://127.0.0.1:1/", **sync) + config(tmp_path),
               defines={"AB_THRESHOLD": THRESHOLD}) as node:
        attack(node, "127.41.2.2")
        wait_for(lambda: node.log_lines("the webhook (cannot be reached|answered)"), 5, "the log says so")
        assert node.bans()["127.41.2.2"]["state"] == "banned"
        print("\nwebhook by %s that is away: %s" % (kind, node.log_lines("the webhook")[0].split("authban: ")[-1]))


# --- nftables ---

def documented():
    """The rules of docs/events.md."""
    with open(os.path.join(ROOT, "docs", "events.md"), encoding="utf-8") as text:
        return re.search(r"```nft\n(.*?)```", text.read(), re.S).group(1)


def nft(lan, *words, stdin=None):
    done = subprocess.run(command_inside(lan.net["proxy"], ["nft", *words]), input=stdin, capture_output=True, text=True,
                          timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def elements(lan, name):
    """{address: seconds of its timeout} of a set."""
    found = json.loads(nft(lan, "-j", "list", "set", "inet", "authban", name))["nftables"][1]["set"].get("elem", [])
    rows = [row["elem"] for row in found]
    return {row["val"] if isinstance(row["val"], str) else "%(addr)s/%(len)d" % row["val"]["prefix"]: row["timeout"]
            for row in rows}


SITE = """table inet site { chain input { type filter hook input priority filter; policy drop;
  ct state established,related counter accept
  counter accept
}
}
"""


@pytest.fixture(scope="module")
def walled(lan, tmp_path_factory):
    """A proxy on port 5060 behind the documented rules, and those of a site that accepts what conntrack knows."""
    nft(lan, "-f", "-", stdin=documented())
    nft(lan, "-f", "-", stdin=SITE)
    return lan.proxy(AB_THRESHOLD=THRESHOLD, settings={
        "extra": defines(NFT="/usr/sbin/nft") + config(tmp_path_factory.mktemp("events"))})


def dropped(lan):
    """Packets that the documented rules have dropped."""
    rows = json.loads(nft(lan, "-j", "list", "table", "inet", "authban"))["nftables"]
    return sum(part["counter"]["packets"] for row in rows if "rule" in row for part in row["rule"]["expr"]
               if "counter" in part)


def guess_until_banned(lan, proxy):
    guesser = lan.guesser(proxy, timeout=0.5)
    for number in range(THRESHOLD):
        guesser.guess("wrong-%d" % number)
    return guesser


def test_nft_has_the_same_source_for_the_same_time(lan, walled):
    source = address_of(guess_until_banned(lan, walled))
    wait_for(lambda: source in elements(lan, "authban4"), 3, "nft has it")
    row = walled.rpc("authban.get", source)
    held = elements(lan, "authban4")[source]
    print("\nnft: %s for %d s, authban %d s" % (source, held, row["ttl"]))
    assert 0 <= held - row["ttl"] <= 5
    # a longer one takes its place; networks and IPv6 too
    walled.rpc("authban.ban", source, 7200)
    wait_for(lambda: elements(lan, "authban4").get(source) == 7200, 3, "nft has the new time")
    walled.rpc("authban.ban", "198.51.100.0/24", 900)
    walled.rpc("authban.ban", "2001:db8:1:2::7", 901)
    wait_for(lambda: elements(lan, "authban6"), 3, "nft has all")
    assert elements(lan, "authban4")["198.51.100.0/24"] == 900
    assert elements(lan, "authban6") == {"2001:db8:1:2::/64": 901}
    for one in (source, "198.51.100.0/24", "2001:db8:1:2::7"):
        walled.rpc("authban.unban", one)
    wait_for(lambda: not elements(lan, "authban4") and not elements(lan, "authban6"), 3, "nft has nobody")
    assert not walled.log_lines("nft did not take")


@pytest.mark.parametrize("capabilities,status", [((), 1), (("--inh-caps", "+net_admin", "--ambient-caps", "+net_admin"), 0)])
def test_what_kamailios_user_needs(lan, walled, capabilities, status):
    """docs/events.md: CAP_NET_ADMIN, as AmbientCapabilities gives it, is enough, also through a shell; less is not."""
    done = subprocess.run(command_inside(lan.net["proxy"], [
        "setpriv", "--reuid", "kamailio", "--regid", "kamailio", "--clear-groups", *capabilities, "sh", "-c",
        "/usr/sbin/nft 'add element inet authban authban4 { 192.0.2.1 timeout 60s }'"]), capture_output=True, text=True,
                          timeout=20, check=False)
    assert done.returncode == status, done.stderr
    assert ("192.0.2.1" in elements(lan, "authban4")) == (status == 0) and walled.process.alive()
    if status == 0:
        nft(lan, "delete", "element", "inet", "authban", "authban4", "{ 192.0.2.1 }")


def test_what_overlaps_is_told_and_left_to_authban(lan, walled):
    walled.rpc("authban.ban", "203.0.113.7", 600)
    walled.rpc("authban.ban", "203.0.113.0/24", 600)
    wait_for(lambda: walled.log_lines("nft did not take 203[.]0[.]113[.]0/24"), 3, "the log says so")
    assert set(elements(lan, "authban4")) == {"203.0.113.7"} and "203.0.113.0/24" in walled.bans()


def test_an_established_flow_is_cut_too(lan, walled):
    """Conntrack knows the attacker's flow; the documented chain is asked before the site's, which accepts it."""
    guesser = guess_until_banned(lan, walled)
    wait_for(lambda: address_of(guesser) in elements(lan, "authban4"), 3, "nft has it")
    before, blocked = dropped(lan), walled.authban()["blocked"]
    for number in range(5):
        guesser.guess("more-%d" % number)
    here, seen = dropped(lan) - before, walled.authban()["blocked"] - blocked
    print("\nnft: established flow, dropped before=%d, reached authban=%d" % (here, seen))
    assert here >= 5 and seen == 0
    # control: the same rule behind "established accept" drops nothing
    nft(lan, "delete", "table", "inet", "site")
    rule = re.search(r"chain early [{].*?[}]$", documented(), re.S | re.M).group(0)
    nft(lan, "flush", "chain", "inet", "authban", "early")
    nft(lan, "-f", "-", stdin="table inet authban { chain late { type filter hook input priority filter; policy accept;\n"
        "ct state established,related accept\n%s\n}\n}\n" % "\n".join(rule.splitlines()[2:-1]))
    before, blocked = dropped(lan), walled.authban()["blocked"]
    for number in range(5):
        guesser.guess("late-%d" % number)
    here, seen = dropped(lan) - before, walled.authban()["blocked"] - blocked
    print("nft: the same rules behind 'ct state established accept': dropped=%d, reached authban=%d" % (here, seen))
    assert here == 0 and seen >= 5


def test_dry_run_gives_nft_nobody(lan, walled):
    walled.rpc("cfg.set_now_int", "authban", "mode", 1)
    held = set(elements(lan, "authban4"))
    source = address_of(guess_until_banned(lan, walled))
    wait_for(lambda: walled.log_lines("ip=%s event=dry_run" % re.escape(source)), 3, "a ban that is only supposed")
    walled.rpc("authban.ban", "192.0.2.99", 60)
    walled.rpc("cfg.set_now_int", "authban", "mode", 2)
    walled.rpc("authban.ban", "192.0.2.98", 60)
    wait_for(lambda: "192.0.2.98" in elements(lan, "authban4"), 3, "the events before it have run")
    assert source not in elements(lan, "authban4") and held <= set(elements(lan, "authban4"))

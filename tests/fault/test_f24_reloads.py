# SPDX-License-Identifier: GPL-2.0-or-later
"""F24: settings, the allow file and the Lua script are changed all the time, under phones and attackers.

AUTHBAN_LONG=1: 10,000 times each.
"""
import os
import threading
import time

import pytest

from lib import ROOT
from lib.fleet import THRESHOLD, banned
from lib.hammer import Attackers
from lib.kamailio import Proxy
from lib.traffic import Honest, RoundRobin, answers, paced
from proxies import RpcFault

TIMES, RATE = (10000, 500) if os.environ.get("AUTHBAN_LONG") else (300, 200)  # a second
OLD = ["127.24.1.%d" % number for number in range(1, 101)]
STAYS, COMES = "127.24.9.1", "127.24.9.2"
SHORT, LONG = 600, 2400  # ban_time, in turn


class Traffic:
    """Phones and attackers until the block ends."""

    def __init__(self, node):
        self.node, self.honest, self.attackers = node, Honest([node]), Attackers(node, THRESHOLD, "127.41")
        self.ending, self.answered, self.asked = threading.Event(), 0, 0
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        while not self.ending.is_set():
            answered, took = self.honest.run(10, 200)
            self.answered += answered
            self.asked += len(took)

    def __enter__(self):
        self.honest.__enter__()
        self.attackers.__enter__()
        self.thread.start()
        return self

    def __exit__(self, *words):
        self.ending.set()
        self.thread.join()
        self.attackers.__exit__(*words)
        self.honest.__exit__(*words)


def shm_used(node):
    return node.rpc("core.shmmem")["real_used"]


def run(name, node, change):
    """change(number) so many times; no ban is lost, no phone is, and whoever guesses enough is banned."""
    for source in OLD:
        node.rpc("authban.ban", source, 3600)
    with Traffic(node) as traffic:
        change(0)
        memory, begin = shm_used(node), time.monotonic()
        for number in paced(TIMES, RATE):
            change(number + 1)
        took, grown = time.monotonic() - begin, shm_used(node) - memory
    bans, now = node.bans_of_all(), node.authban()
    lost = [source for source in OLD if source not in bans]
    new = {source: row for source, row in bans.items() if source.startswith("127.41.")}
    print("\nF24 %s: changes=%d in %.1fs lost_bans=%d phones=%d/%d new_bans=%d guesses_answered=%d shm_grown=%dB"
          % (name, TIMES, took, len(lost), traffic.answered, traffic.asked, len(new), traffic.attackers.guesses, grown))
    assert not lost and traffic.answered == traffic.asked >= 10
    assert len(new) >= 5 and now["bans"] == len(new) + len(OLD)
    # the last one may not have come to his end
    assert traffic.attackers.guesses <= (THRESHOLD - 1) * (len(new) + 1)
    assert grown < 100_000
    return new


class Node(Proxy):
    """A proxy with all its bans, in pages."""

    def bans_of_all(self):
        found, page = {}, True
        while page:
            page = self.rpc("authban.list", 300, len(found)) or ()
            found.update((row["source"], row) for row in page)
            if len(page) < 300:
                break
        return found


def test_f24_settings():
    """Every ban is of one length or of the other."""
    with Node(defines={"AB_THRESHOLD": THRESHOLD, "AB_BAN_TIME": SHORT}) as node:
        def change(number):
            node.rpc("cfg.set_now_int", "authban", "ban_time", LONG if number % 2 else SHORT)
            node.rpc("cfg.set_now_int", "authban", "max_users", 5 + number % 2)
        new = run("settings", node, change)
        lengths = [row["ttl"] for row in new.values()]
        short = sum(SHORT * 15 / 16 - 60 <= ttl <= SHORT for ttl in lengths)
        long = sum(LONG * 15 / 16 - 60 <= ttl <= LONG for ttl in lengths)
        print("F24 settings: bans of %d s=%d, of %d s=%d" % (SHORT, short, LONG, long))
        assert short + long == len(lengths) and short and long
        with pytest.raises(RpcFault):
            node.rpc("cfg.set_now_int", "authban", "ban_time", 0)


def test_f24_the_allow_file(tmp_path):
    """Who stays in it is never off the list, though he guesses; who goes is judged at once."""
    path = tmp_path / "allow"

    def write(*sources):
        new = tmp_path / "allow.new"
        new.write_text("\n".join(sources) + "\n")
        new.rename(path)

    write(STAYS)
    with Node(defines={"AB_THRESHOLD": THRESHOLD, "AB_ALLOW_FILE": str(path)}) as node, \
            RoundRobin([node], STAYS) as friend:
        def change(number):
            write(STAYS, *([COMES] if number % 2 else []))
            node.rpc("authban.allow_reload")
            if number % 40 == 1:
                friend.send(2, 1000)
        run("the allow file", node, change)
        assert answers(node, STAYS) and not banned(node, STAYS)
        with RoundRobin([node], COMES) as attacker:
            assert attacker.send(2 * THRESHOLD) == THRESHOLD
        write(STAYS, COMES)
        node.rpc("authban.allow_reload")
        assert answers(node, COMES)
        print("F24 the allow file: who stays guessed %d times and was never off the list" % friend.number)


def test_f24_the_lua_script(tmp_path):
    """Each worker takes the new one at its next message."""
    script = tmp_path / "routes.lua"
    with open(os.path.join(ROOT, "etc", "kamailio-authban.lua"), encoding="utf-8") as text:
        original = text.read()
    script.write_text(original)
    with Node(config=os.path.join(ROOT, "etc", "kamailio-authban-kemi.cfg"),
              defines={"AB_THRESHOLD": THRESHOLD, "LUA_SCRIPT": str(script)}) as node:
        def change(number):
            if number % 20 == 0:
                new = tmp_path / "new.lua"
                new.write_text(original + "\n-- %d\n" % number)
                new.rename(script)
            node.rpc("app_lua.reload")
        run("the Lua script", node, change)
        assert not node.log_lines("error from Lua|attempt to|ERROR: app_lua")

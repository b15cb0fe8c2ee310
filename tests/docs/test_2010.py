# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/2010.md: its commands are run, in its order, after a real attack, and print what it says.

The attack: the real svcrack at 20 addresses of two providers, ten each; forged packets in the name of another
address; beside them a customer's phone in the network of the attackers. Two proxies on one Redis. `kamcmd` and
the like are the real ones: small scripts in front of them name their sockets; `ssh proxy-b` is the second proxy.
A line of an output stands for itself; `...` in it for anything, a line `...` for any lines; times, ids and ports
may be others.
"""
import concurrent.futures
import contextlib
import os
import re
import shlex
import subprocess
import sys
import threading

import pytest

from lib import ROOT, SCRIPTS
from lib.kamailio import Proxy
from lib.netns import Net
from lib.offenders import CAMPAIGN_KEY, Desk
from lib.rawudp import Forger
from lib.redis import Redis
from lib.sip import Guesser, Phone
from lib.svcrack import run_svcrack
from lib.wait import wait_for
import proxies

PAGE = os.path.join(ROOT, "docs", "2010.md")
PROXY, EACH, FORGED = "198.51.100.1", 10, 200
CLOUD = ["192.0.2.%d" % (10 + n) for n in range(EACH)]
SMALL = ["203.0.113.%d" % (10 + n) for n in range(EACH)]
CUSTOMER, VICTIM = "192.0.2.99", "192.0.2.200"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.S | re.M)
VOLATILE = [(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"), (r"\d{8}T\d{6}Z", "TIME"),
            (r"\b[0-9a-f]{16}\b", "ID"), (r"\bport:? +\d+", "port N"), (r"[ \t]+", " ")]


def steps():
    """[(commands, the output that the page shows), ...] of the page."""
    with open(PAGE, encoding="utf-8") as text:
        blocks = BLOCK.findall(text.read())
    found = []
    for kind, text in blocks:
        if kind == "sh":
            found.append((text, None))
        elif found and found[-1][1] is None:
            found[-1] = (found[-1][0], text)
    return found


def host(address):
    return "h" + address.split(".")[2] + "-" + address.split(".")[3]


class Customer(threading.Thread):
    """A phone that registers before the attack and all through it."""

    def __init__(self, proxy, netns):
        super().__init__(daemon=True)
        self.phone = Phone("bob", "bob-secret", proxy.target, source=CUSTOMER, netns=netns, timeout=4)
        self.done, self.statuses = threading.Event(), [self.phone.register().status]

    def run(self):
        while not self.done.wait(0.2):
            self.statuses.append(self.phone.register().status)

    def close(self):
        self.done.set()
        if self.is_alive():
            self.join(10)
        self.phone.close()


class Scene:
    """Two proxies after the attack, and a shell beside the first."""

    def __init__(self, stack, folder):
        self.folder = folder
        hosts = {host(address): [address + "/24"] for address in [*CLOUD, *SMALL, CUSTOMER]}
        self.net = stack.enter_context(Net(dict(hosts, proxy=[PROXY + "/24"])))
        for name in hosts:
            self._route(name, PROXY)
        for prefix in ("192.0.2.0/24", "203.0.113.0/24"):
            self._route("proxy", prefix)
        redis = stack.enter_context(Redis())
        key = proxies.write_secret(os.path.join(redis.folder, "cluster-key"), CAMPAIGN_KEY)
        self.proxies = [stack.enter_context(Proxy(
            host=PROXY, port=port, netns=self.net["proxy"], node=name, redis=redis.unix_url, key_file=key,
            defines={"AB_NET_SOURCES": 8, "AB_USER_SOURCES": 20})) for name, port in (
                ("proxy-a", 5060), ("proxy-b", 5070))]
        for proxy in self.proxies:
            wait_for(lambda proxy=proxy: proxy.rpc("authban.status")["redis"] == "connected", 5, "Redis")
        self.customer = stack.enter_context(contextlib.closing(
            Customer(self.proxies[0], self.net[host(CUSTOMER)])))
        self._attack()
        self.environment = self._desk()

    def _route(self, name, *words):
        subprocess.run(["ip", "-n", self.net[name], "route", "add", *words, "dev", "eth0"], check=True, timeout=10)

    def _attack(self):
        target = self.proxies[0].target
        self.customer.start()
        self._forge(target)
        with concurrent.futures.ThreadPoolExecutor(EACH) as pool:
            cracks = list(pool.map(lambda address: run_svcrack(
                target, "alice", netns=self.net[host(address)], silence=1, deadline=20), CLOUD + SMALL))
        assert all(crack.sent for crack in cracks)
        for proxy in self.proxies:
            wait_for(lambda proxy=proxy: len(proxy.bans()) >= 2 * EACH, 5, "20 bans")
        print("\n2010: svcrack sent %d guesses from %d addresses, %d were looked at" % (
            sum(crack.sent for crack in cracks), len(cracks), self.proxies[0].evaluated()))

    def _forge(self, target):
        netns = self.net[host(SMALL[0])]
        with Guesser("alice", target, source=SMALL[0], netns=netns, timeout=2) as guesser, Forger(netns) as forger:
            challenge = guesser.challenge()
            packets = [guesser.build([guesser.answer_header(challenge, "forged-%d" % n)]) for n in range(FORGED)]
            forger.send((VICTIM, 5060), target, packets, rate=1000)
        wait_for(lambda: self.proxies[0].authban()["unproven"] >= 0.9 * FORGED, 5, "the forged packets arrive")

    def _desk(self):
        """The commands of the page, in front of everything else in PATH."""
        desk = Desk(self.folder)
        first, second = self.proxies
        desk.write("partner.key", "0123456789abcdef" * 4)
        report = ["--config", desk.path("report.conf"), "--state", desk.state]
        self._command(desk, "kamcmd", "/usr/sbin/kamcmd", "-s", first.ctl_socket)
        desk.write("ssh", '#!/bin/sh\ntest "$1 $2" = "proxy-b kamcmd" || exit 9\nshift 2\n'
                   'exec /usr/sbin/kamcmd -s %s "$@"\n' % second.ctl_socket, 0o700)
        self._command(desk, "authban-report", sys.executable, os.path.join(SCRIPTS, "authban-report"), *report,
                      "--rpc", first.rpc_socket, behind=True)
        desk.write("authban-lists", '#!/bin/sh\nif [ "$1" = verify ]; then set -- "$@" --serials %s; else set -- "$@"'
                   ' --rpc %s; fi\nexec %s %s "$@"\n' % (desk.path("serials"), first.rpc_socket, sys.executable,
                                                         os.path.join(SCRIPTS, "authban-lists")), 0o700)
        return dict(os.environ, PATH=self.folder + ":" + os.environ["PATH"], LC_ALL="C")

    @staticmethod
    def _command(desk, name, *words, behind=False):
        mine = shlex.join(words)
        text = '%s "$@"' % mine if not behind else '%s "$@" %s' % (shlex.join(words[:2]), shlex.join(words[2:]))
        desk.write(name, "#!/bin/sh\nexec %s\n" % text, 0o700)

    def run(self, commands):
        """What they print, as an operator sees it."""
        done = subprocess.run(["bash", "-c", commands], cwd=self.folder, env=self.environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                              timeout=60, check=False)
        return done.stdout


def plain(line):
    for pattern, word in VOLATILE:
        line = re.sub(pattern, word, line)
    return line.strip()


def missing(shown, printed):
    """Lines that the page shows and the command did not print, in this order."""
    lines, wanted = [plain(line) for line in printed.splitlines()], []
    for line in map(plain, shown.splitlines()):
        if line in ("", "..."):
            continue
        pattern = re.compile(".*".join(map(re.escape, line.split("..."))))
        found = next((n for n, one in enumerate(lines) if pattern.fullmatch(one)), None)
        if found is None:
            wanted.append(line)
        else:
            del lines[:found + 1]
    return wanted


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        yield Scene(stack, str(tmp_path_factory.mktemp("desk")))

def test_the_page_shows_all_demands():
    with open(PAGE, encoding="utf-8") as text:
        assert re.findall(r"^## (.*)$", text.read(), re.M) == [
            "Detect it faster", "Isolate it when it is confirmed", "Any computer on any network can do it",
            "A few machines of one provider", "Reports that are acted on", "Channels between operators and providers",
            "Look at nobody's content", "Do not hurt legitimate customers"]


def test_the_commands_print_what_the_page_shows(scene):
    """In order, since some of them change what the next ones see."""
    wrong = []
    for commands, shown in steps():
        assert shown is not None, "no output is shown of " + commands
        printed = scene.run(commands)
        lines = missing(shown, printed)
        if lines:
            wrong.append("%s\nwas to print\n  %s\nand printed\n%s" % (commands, "\n  ".join(lines), printed))
    print("\n2010: %d blocks of commands run, %d print something else" % (len(steps()), len(wrong)))
    assert not wrong, "\n".join(wrong)


def test_the_customer_was_served_all_along(scene):
    statuses = scene.customer.statuses
    print("\n2010: the customer in the attackers' network registered %d times, served %d" % (
        len(statuses), statuses.count(200)))
    assert len(statuses) > 5 and set(statuses) == {200}


def test_no_forged_address_is_in_any_file(scene):
    with open(os.path.join(scene.folder, "list.json"), encoding="ascii") as text:
        everything = [text.read()]
    for folder, _, names in os.walk(os.path.join(scene.folder, "reports")):
        for name in names:
            with open(os.path.join(folder, name), encoding="utf-8") as text:
                everything.append(name + text.read())
    assert len(everything) > 40 and any(CLOUD[0] in text for text in everything), "control: there is something to find"
    assert not [text for text in everything if VICTIM in text]


@pytest.mark.parametrize("shown, printed, left", [
    ("a\nc\n", "a\nb\nc\n", []), ("c\na\n", "a\nb\nc\n", ["a"]), ("x ... z", "x y z", []),
    ("x ... z", "x y", ["x ... z"]),
    ("at 2026-01-31T12:00:00.000Z", "at 2027-02-01T00:00:00Z", []), ("failures: 8", "failures: 9", ["failures: 8"])])
def test_control_what_is_compared(shown, printed, left):
    assert missing(shown, printed) == left

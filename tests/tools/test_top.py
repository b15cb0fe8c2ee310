# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/authban-top: one plain frame, and the view in a terminal, of a real proxy under attack."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

from lib import SCRIPTS
from lib.kamailio import Proxy
from lib.sip import Guesser
from lib.traffic import RoundRobin
from lib.wait import wait_for
from authban_ops import view  # noqa: E402 (in scripts/)

COMMAND = os.path.join(SCRIPTS, "authban-top")


@pytest.fixture(scope="module")
def node():
    with Proxy(node="node-1", defines={"AB_THRESHOLD": 5, "AB_NET_SOURCES": 2, "AB_USER_SOURCES": 2}) as one:
        yield one


WATCHED = (3, 4, 5, 6)


@pytest.fixture(scope="module")
def attacked(node):
    """Two bans by failures in one network, one by an operator, and sources that are watched."""
    for source in ("127.32.1.1", "127.32.1.2"):
        with RoundRobin([node], source) as attacker:
            attacker.send(120, 1000)
    # distinct sources are estimated, and more of them leave no doubt
    for host in WATCHED:
        with RoundRobin([node], "127.32.1.%d" % host) as attacker:
            attacker.send(1)
    node.rpc("authban.ban", "127.32.2.1", 7200, "ticket 12 \x1b[2J<b>")
    return node


def once(node, *words):
    done = subprocess.run([COMMAND, "--once", "--socket", node.rpc_socket, "--interval", "0.3", *words],
                          capture_output=True, timeout=20, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.decode("ascii").splitlines()


def part(lines, title):
    """The rows of one section, as lists of words."""
    at = next(number for number, line in enumerate(lines) if line.startswith(title))
    end = next((number for number in range(at, len(lines)) if not lines[number]), len(lines))
    return [line.split() for line in lines[at + 2:end]]


def test_one_frame(attacked):
    lines = once(attacked)
    print("\n" + "\n".join(lines))
    bans = {row[0]: row for row in part(lines, "BANS by ttl")}
    assert list(bans)[0] == "127.32.2.1" and set(bans) == {"127.32.1.1", "127.32.1.2", "127.32.2.1"}
    assert re.fullmatch(r"1:59:\d\d|2:00:00", bans["127.32.2.1"][2]) and re.fullmatch(r"9:\d\d|10:00", bans["127.32.1.1"][2])
    assert bans["127.32.1.1"][1] == "threshold" and bans["127.32.1.1"][-1] == "node-1"
    top = [row[0] for row in part(lines, "TOP SOURCES by failures")]
    assert set(top[:2]) == {"127.32.1.1", "127.32.1.2"} and top[2].startswith("127.32.1.")
    (net,) = part(lines, "CAMPAIGNS")
    assert net[0] == "127.32.1.0/24" and net[1] in ("watched", "restricted")
    (user,) = part(lines, "USERS UNDER ATTACK")
    assert re.fullmatch("[0-9a-f]{16}", user[0]) and user[1] in ("watched", "restricted")
    assert lines[0].startswith("authban node-1  mode ban  proof token  entries") and lines[2] == "redis none"
    assert all(len(line) <= 120 for line in lines)


def test_sorts(attacked):
    for sort, wanted in (("source", ["127.32.1.1", "127.32.1.2", "127.32.2.1"]),):
        assert [row[0] for row in part(once(attacked, "--sort", sort), "BANS by " + sort)] == wanted
    blocked = [int(row[5]) for row in part(once(attacked, "--sort", "blocked"), "BANS by blocked")]
    assert blocked == sorted(blocked, reverse=True) and blocked[0] > 0
    assert part(once(attacked, "--sort", "blocked"), "TOP SOURCES by blocked")


def test_rates(attacked):
    with Guesser("alice", attacked.target, source="127.32.1.1", timeout=0.1) as guesser:
        process = subprocess.Popen([COMMAND, "--once", "--socket", attacked.rpc_socket, "--interval", "0.8"],
                                   stdout=subprocess.PIPE, text=True)
        data, sent = guesser.build(), 0
        while process.poll() is None and sent < 2000:
            guesser.link.send(data)
            sent += 1
            time.sleep(0.005)
        lines = process.communicate(timeout=10)[0].splitlines()
    rate = float(re.search(r"blocked ([\d.]+)", lines[1]).group(1))
    print("\nrates: %s" % lines[1])
    assert 10 < rate < 260


def test_nobody_answers(tmp_path):
    done = subprocess.run([COMMAND, "--once", "--socket", str(tmp_path / "none")], capture_output=True, text=True,
                          timeout=10, check=False)
    assert done.returncode == 1 and done.stderr.startswith("authban-top: no answer") and done.stderr.count("\n") == 1


WILD = ["\x1b[31mred\x1b[0m", "a\nb", "\x9b2J", "\u202eevil", "x" * 500, "\x00\x07\x7f", "gr\u00fc\u00df"]


def test_foreign_bytes_stay_text():
    rows = [{"source": wild, "reason": wild, "origin": wild, "ttl": wild, "failures": wild, "blocked": None}
            for wild in WILD]
    crowd = [{"net": wild, "user": wild, "level": wild, "why": wild, "sources": 3} for wild in WILD]
    status = {name: wild for name, wild in zip(("node", "mode", "proof", "redis", "redis_last_error", "breaker",
                                                "redis_server"), WILD)}
    shot = view.Shot(1.0, {}, status, rows, rows, crowd, crowd)
    lines, places, bans = view.frame(shot, None, 100)
    assert len(bans) == len(places) == len(WILD)
    assert all(len(line) <= 100 and all(" " <= letter <= "~" for letter in line) for line in lines)


class Terminal:
    """authban-top in a pty of 40 lines by 110 columns."""

    def __init__(self, node):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm", LC_ALL="C.UTF-8")
            os.execv(COMMAND, [COMMAND, "--socket", node.rpc_socket, "--interval", "0.4"])
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 110, 0, 0))
        os.kill(self.pid, signal.SIGWINCH)

    def read(self, seconds=0.3):
        data, end = b"", time.monotonic() + seconds
        while time.monotonic() < end:
            if select.select([self.fd], [], [], 0.02)[0]:
                try:
                    data += os.read(self.fd, 65536)
                except OSError:
                    break
        return data

    def screen(self, pattern, seconds=1.5):
        """All of it anew (^L), without what moves the cursor, until the pattern is in it; else None."""
        os.write(self.fd, b"\x0c")
        self.last, end = b"", time.monotonic() + seconds
        while time.monotonic() < end:
            self.last += self.read(0.05)
            text = re.sub(rb"\x1b(\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>78])", b"\n", self.last)
            text = text.decode("ascii", "backslashreplace")
            if re.search(pattern, text):
                return text
        return None

    def type(self, text):
        os.write(self.fd, text)

    def wait(self, pattern, what):
        return wait_for(lambda: self.screen(pattern), 20, what)

    def end(self):
        """The exit status; killed when it hangs."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            # a terminal that is full would hold it back; one that it has left is read without waiting
            self.read(0.01)
            time.sleep(0.01)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
        else:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            status = None
        os.close(self.fd)
        return status


def test_in_a_terminal(attacked):
    terminal = Terminal(attacked)
    try:
        text = terminal.wait("(?s)BANS by ttl.*USERS UNDER ATTACK.*q quit", "the view")
        assert "127.32.2.1" in text and "ticket_12" in text
        assert b"\x1b[2J<b>" not in terminal.last
        # what is selected is the first: a no changes nothing
        terminal.type(b"u")
        terminal.type(b"n")
        terminal.wait("nothing was changed", "the no")
        assert "127.32.2.1" in attacked.bans()
        terminal.type(b"u")
        terminal.type(b"y")
        terminal.wait(r"done: unban 127\.32\.2\.1", "the unban")
        assert "127.32.2.1" not in attacked.bans()
        terminal.type(b"s")
        terminal.wait("BANS by failures", "another order")
        terminal.type(b"ssss")
        terminal.wait("BANS by ttl", "the first order again")
        before = set(attacked.bans())
        terminal.type(b"\x1b[B" + b"a")
        terminal.type(b"y")
        terminal.wait(r"done: allow on every proxy 127\.32\.1\.[12]", "the allow entry")
        allowed = [row for row in attacked.rpc("authban.allow_list") if str(row).find("127.32.1.") >= 0]
        assert len(allowed) == 1 and set(attacked.bans()) == before
        terminal.type(b"q")
    finally:
        status = terminal.end()
    print("\nterminal: exit status %s" % status)
    assert status == 0


def test_a_proxy_that_goes_is_told_of(tmp_path):
    with Proxy(node="node-1") as node:
        terminal = Terminal(node)
        try:
            terminal.wait("BANS by ttl", "the view")
            node.kill()
            terminal.wait("no news: no answer", "what is wrong")
            terminal.type(b"q")
        finally:
            assert terminal.end() == 0

# SPDX-License-Identifier: GPL-2.0-or-later
"""etc/fail2ban: our ban lines and no others, by fail2ban-regex, and by a real fail2ban whose only action is a file."""
import collections
import os
import subprocess
import time

import pytest

from lib import ROOT, banlog
from lib.wait import holds_for, wait_for
import proxies

FILTER = os.path.join(ROOT, "etc", "fail2ban", "filter.d", "authban.conf")
JAIL = os.path.join(ROOT, "etc", "fail2ban", "jail.d", "authban.conf")


@pytest.fixture(scope="module")
def log():
    """(lines on stderr, sources of the real bans)"""
    return banlog.everything()


def banned(path):
    """What fail2ban-regex finds in a file, in order."""
    done = subprocess.run(["fail2ban-regex", "--out", "ip", path, FILTER], capture_output=True, text=True, timeout=30,
                          check=False, stdin=subprocess.DEVNULL)
    assert not done.stderr, done.stderr
    return done.stdout.split()


def write(path, lines):
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_the_ban_lines_and_no_others(log, tmp_path):
    lines, sources = log
    found = banned(write(tmp_path / "log", banlog.by_syslog(lines)))
    print("\nfail2ban-regex: lines=%d bans=%d found=%d" % (len(lines), len(sources), len(found)))
    assert collections.Counter(found) == collections.Counter(sources)


def test_lines_on_stderr_are_not_taken(log, tmp_path):
    """There an attacker writes whole lines; one of them is in this log."""
    assert banlog.LINE in log[0]
    assert banned(write(tmp_path / "log", log[0])) == []


def test_control_a_whole_line_is_found(tmp_path):
    for line in (banlog.BAN, banlog.BAN.replace("[authban_log", "[modules/authban/authban_log"),
                 banlog.BAN.replace("203.0.113.66", "2001:db8::/64")):
        assert len(banned(write(tmp_path / "log", [banlog.syslog(" 1(1) " + line)]))) == 1, line
    assert banned(write(tmp_path / "log", [banlog.syslog(banlog.BAN).replace("kamailio[", "/usr/sbin/kamailio[")]))


CONFIG = """[DEFAULT]
[Definition]
loglevel = INFO
logtarget = %(folder)s/f2b.log
syslogsocket = auto
socket = %(folder)s/f2b.sock
pidfile = %(folder)s/f2b.pid
dbfile = None
dbmaxmatches = 10
"""
ACTION = """[Definition]
actionban = echo ban <ip> >>%(folder)s/actions
actionunban = echo unban <ip> >>%(folder)s/actions
"""
LOCAL = """[authban]
backend = polling
logpath = %(folder)s/syslog
banaction = tofile
action = tofile
ignoreip = 192.0.2.7
"""


class Fail2ban:
    """A fail2ban of a folder of its own, with our filter and our jail."""

    def __init__(self):
        self.folder = proxies.private_folder("f2b")
        for place, text in (("fail2ban.conf", CONFIG), ("action.d/tofile.conf", ACTION), ("jail.d/authban.local", LOCAL),
                            ("jail.conf", "[DEFAULT]\n"), ("filter.d/authban.conf", open(FILTER, encoding="utf-8").read()),
                            ("jail.d/authban.conf", open(JAIL, encoding="utf-8").read())):
            path = os.path.join(self.folder, place)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as out:
                out.write(text % {"folder": self.folder} if place in ("fail2ban.conf", "action.d/tofile.conf",
                                                                      "jail.d/authban.local") else text)
        open(os.path.join(self.folder, "syslog"), "w", encoding="utf-8").close()
        self.process = None

    def command(self, name, *words):
        return [name, "-c", self.folder, "-s", self.folder + "/f2b.sock", "-p", self.folder + "/f2b.pid", *words]

    def __enter__(self):
        self.process = proxies.Process(self.command("fail2ban-server", "-f", "start"), "fail2ban",
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: self.client("status", "authban").returncode == 0, 10, "fail2ban runs: " + self.log())
        return self

    def client(self, *words):
        return subprocess.run(self.command("fail2ban-client", *words), capture_output=True, text=True, timeout=10,
                              check=False, stdin=subprocess.DEVNULL)

    def append(self, lines):
        with open(os.path.join(self.folder, "syslog"), "a", encoding="utf-8") as out:
            out.write("".join(line + "\n" for line in lines))

    def read(self, name):
        try:
            with open(os.path.join(self.folder, name), encoding="utf-8") as text:
                return text.read()
        except FileNotFoundError:
            return ""

    def log(self):
        return self.read("f2b.log")[-1500:]

    def actions(self):
        return self.read("actions").splitlines()

    def __exit__(self, *_):
        self.process.stop(10)
        self.process.kill()
        proxies.remove_folder(self.folder)


def test_a_real_fail2ban_bans_who_we_ban(log):
    lines, sources = log
    wanted = {"ban " + source for source in sources if source != "192.0.2.7"}
    with Fail2ban() as f2b:
        begin = time.monotonic()
        f2b.append(banlog.by_syslog(lines))
        wait_for(lambda: wanted <= set(f2b.actions()), 15, "all bans: %s %s" % (wanted, f2b.log()))
        took = time.monotonic() - begin
        holds_for(lambda: set(f2b.actions()) == wanted, 0.5, "and no others")
        print("\nfail2ban: %d bans %.1f s after the lines" % (len(f2b.actions()), took))
        assert f2b.client("set", "authban", "unbanip", "127.33.1.1").returncode == 0
        wait_for(lambda: "unban 127.33.1.1" in f2b.actions(), 5, "the unban")

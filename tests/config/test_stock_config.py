# SPDX-License-Identifier: GPL-2.0-or-later
"""etc/authban.cfg in the distribution's own kamailio.cfg, with the change that stands in its comments."""
import os
import re
import shutil
import sqlite3
import subprocess

import pytest

from lib import ROOT
from lib.kamailio import REALM, USERS, Proxy, module_path
from lib.lan import PROXY, Lan, address_of, counted

INCLUDE = os.path.join(ROOT, "etc", "authban.cfg")
THRESHOLD = 8  # as in etc/authban.cfg

# What a site keeps in kamailio-local.cfg, which the stock configuration imports first.
LOCAL = """
#!define WITH_AUTH
#!define DBURL "%(url)s"
listen=LISTEN_UDP
listen=LISTEN_TCP
auto_aliases=no
alias=ALIAS
loadmodule "db_sqlite.so"
"""

# Sockets of our own, so that the test disturbs no Kamailio of this machine.
SOCKETS = """
modparam("jsonrpcs", "transport", 4)
modparam("jsonrpcs", "dgram_socket", RPC_SOCKET)
modparam("ctl", "binrpc", CTL_SOCKET)
"""


def stock_path():
    """The distribution's kamailio.cfg."""
    path = "/etc/kamailio/kamailio.cfg"
    if os.path.exists(path):
        return path
    listed = subprocess.run(["dpkg", "-L", "kamailio"], capture_output=True, text=True, check=False).stdout
    found = [line for line in listed.splitlines() if line.endswith("/kamailio.cfg")]
    return found[0] if found and os.path.exists(found[0]) else None


STOCK = stock_path()
pytestmark = pytest.mark.skipif(not STOCK, reason="no kamailio.cfg of the distribution")


def documented():
    """The three pieces of code in the comments of etc/authban.cfg: (first lines, old lines, new lines)."""
    with open(INCLUDE, encoding="utf-8") as text:
        comment = "".join(re.sub("^# ?", "", line) for line in text if line.startswith("#"))
    # Code is what is set in by itself between blank lines.
    blocks = [b for b in re.split(r"\n\s*\n", comment) if re.fullmatch(r"( {7,}.*\n?)+", b)]
    include, first, old, new = blocks[:4]
    assert include.strip() == 'include_file "authban.cfg"'
    return first.split("\n", 1)[1] + "\n", old, new + "\n"


def words(code):
    """A regular expression for code that does not mind blanks."""
    return r"\s+".join(re.escape(word) for word in code.split())


def substitute(pattern, replacement, text):
    """Exactly one place; replacement: a function of what stood there."""
    text, count = re.subn(pattern, lambda match: replacement(match.group(0)), text)
    assert count == 1, "%d places for %s" % (count, pattern)
    return text


def with_authban(text):
    """The stock configuration after the three steps of etc/authban.cfg."""
    first, old, new = documented()
    text = substitute(r'modparam\("auth_db", "use_domain", MULTIDOMAIN\)\n',
                      lambda found: found + 'include_file "authban.cfg"\n', text)
    text = substitute(r"(?m)^request_route \{\n", lambda found: found + first, text)
    return substitute(words(old), lambda _: new, text)


class StockProxy(Proxy):
    """The stock configuration in the folder of the proxy; change: a function of its text."""

    def __init__(self, change, **settings):
        super().__init__(**settings)
        self.config = os.path.join(self.folder, "kamailio.cfg")
        with open(STOCK, encoding="utf-8") as text:
            stock = change(text.read())
        self.write("kamailio.cfg", stock + SOCKETS)
        self.write("kamailio-local.cfg", LOCAL % {"url": self.defines.pop("DBURL")})
        with open(INCLUDE, encoding="utf-8") as text:
            include = text.read()
        # The module is not installed yet: name its path.
        self.write("authban.cfg", substitute('"authban.so"', lambda _: '"%s"' % module_path(), include))
        self.arguments += ["-n", "2", "-N", "2"]
        clear_passwords(self.database)

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as out:
            out.write(text)


def clear_passwords(path):
    """The stock configuration reads passwords as they are (calculate_ha1)."""
    with sqlite3.connect(path) as db:
        for user, password in USERS:
            db.execute("UPDATE subscriber SET password = ? WHERE username = ?", (password, user))
    db.close()


@pytest.fixture(scope="module")
def lan():
    with Lan() as made:
        yield made


def stock_proxy(lan, change):
    return lan.keep(StockProxy(change, host=PROXY, port=next(lan.ports), netns=lan.net["proxy"]))


@pytest.fixture(scope="module")
def proxy(lan):
    return stock_proxy(lan, with_authban).start()


def test_the_changed_configuration_is_valid(lan):
    status, output = stock_proxy(lan, with_authban).check_config()
    print("\nstock config check: status=%d" % status)
    assert status == 0, output[-2000:]
    assert "ERROR" not in output


def test_without_the_change_nobody_is_banned(lan):
    """The negative control: the stock configuration itself never stops a guesser."""
    plain = stock_proxy(lan, lambda text: text).start()
    guesser = lan.guesser(plain)
    statuses = [guesser.guess("wrong-%d" % n) for n in range(5 * THRESHOLD)]
    print("\nstock control: guesses=%d answered=%d" % (len(statuses), statuses.count(401)))
    assert statuses == [401] * (5 * THRESHOLD)


@pytest.mark.parametrize("kind", ["real", "svcrack"])
def test_an_attack_is_banned(lan, proxy, kind):
    guesser = lan.guesser(proxy, kind=kind)
    statuses = [guesser.guess("wrong-%d" % n) for n in range(THRESHOLD)]
    row = proxy.bans().get(address_of(guesser))
    print("\nstock attack %s: statuses=%s ban=%s" % (kind, statuses, row))
    assert statuses == [401] * (THRESHOLD - 1) + [0]
    assert guesser.challenge() is None
    assert row["reason"] == "threshold" and row["proof"] == "token"
    assert len(proxy.log_lines("ip=%s event=ban " % re.escape(address_of(guesser)))) == 1


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_phone_registers(lan, proxy, transport):
    before = counted(proxy)
    phone = lan.phone(proxy, transport=transport)
    results = [phone.register() for _ in range(3)]
    print("\nstock phone %s: %s" % (transport, [tuple(r) for r in results]))
    assert results == [(200, 2), (200, 1), (200, 1)]
    assert counted(proxy) == before


def test_an_operator_lets_somebody_in_again(lan, proxy):
    """The commands of the comments, with the real kamcmd."""
    guesser = lan.guesser(proxy)
    guesser.guess_until_silent(THRESHOLD + 1)
    here = address_of(guesser)
    assert shutil.which("kamcmd")
    texts = [proxy.kamcmd(*command) for command in (["authban.status"], ["authban.list"], ["authban.unban", here])]
    print("\nstock operator: %s" % [status for status, _ in texts])
    assert [status for status, _ in texts] == [0, 0, 0]
    assert here in texts[1][1]
    assert guesser.challenge()

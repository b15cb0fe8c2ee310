# SPDX-License-Identifier: GPL-2.0-or-later
"""etc/authban.cfg in the distribution's own kamailio.cfg, with the change that stands in its comments."""
import os
import re
import shutil
import sqlite3
import subprocess

import pytest

from lib import ROOT, stock
from lib.kamailio import REALM, USERS, Proxy, module_path
from lib.lan import PROXY, Lan, address_of, counted

THRESHOLD = 8  # as in etc/authban.cfg

pytestmark = pytest.mark.skipif(not stock.stock_path(), reason="no kamailio.cfg of the distribution")


class StockProxy(Proxy):
    """The stock configuration in the folder of the proxy; change: a function of its text."""

    def __init__(self, change, **settings):
        super().__init__(**settings)
        self.config = os.path.join(self.folder, "kamailio.cfg")
        self.write("kamailio.cfg", change(stock.stock_text()) + stock.SOCKETS)
        self.write("kamailio-local.cfg", stock.LOCAL % {"url": self.defines.pop("DBURL"), "more": "listen=LISTEN_TCP"})
        self.write("authban.cfg", stock.include_text(module_path()))
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
    return stock_proxy(lan, stock.with_authban).start()


def test_the_changed_configuration_is_valid(lan):
    status, output = stock_proxy(lan, stock.with_authban).check_config()
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


def test_doctor_finds_nothing_wrong(proxy):
    """What a new user has after six lines, before anything else is set."""
    done = subprocess.run([os.path.join(ROOT, "scripts", "doctor"), "--config", proxy.config, "--socket",
                           proxy.rpc_socket, "-A", "LISTEN_UDP=udp:127.0.0.1:5060", "-A", "LISTEN_TCP=tcp:127.0.0.1:5060",
                           "-A", 'ALIAS="x"', "-A", 'RPC_SOCKET="x"', "-A", 'CTL_SOCKET="unix:x"'],
                          capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL, check=False)
    print("\nstock doctor: status=%d lines=%d" % (done.returncode, done.stdout.count("\n")))
    assert done.returncode == 0, done.stdout

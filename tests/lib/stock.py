# SPDX-License-Identifier: GPL-2.0-or-later
"""The distribution's own kamailio.cfg, as it is and with the change that stands in the comments of etc/authban.cfg."""
import os
import re
import subprocess

from . import ROOT

INCLUDE = os.path.join(ROOT, "etc", "authban.cfg")

# What a site keeps in kamailio-local.cfg, which the stock configuration imports first.
LOCAL = """
#!define WITH_AUTH
#!define DBURL "%(url)s"
listen=LISTEN_UDP
%(more)s
auto_aliases=no
alias=ALIAS
loadmodule "db_sqlite.so"
"""

# Sockets of our own, so that a test disturbs no Kamailio of this machine.
SOCKETS = """
modparam("jsonrpcs", "transport", 4)
modparam("jsonrpcs", "dgram_socket", RPC_SOCKET)
modparam("ctl", "binrpc", CTL_SOCKET)
"""


def stock_path():
    """The distribution's kamailio.cfg; None: there is none."""
    path = "/etc/kamailio/kamailio.cfg"
    if os.path.exists(path):
        return path
    listed = subprocess.run(["dpkg", "-L", "kamailio"], capture_output=True, text=True, check=False).stdout
    found = [line for line in listed.splitlines() if line.endswith("/kamailio.cfg")]
    return found[0] if found and os.path.exists(found[0]) else None


def stock_text():
    with open(stock_path(), encoding="utf-8") as text:
        return text.read()


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


def behind_modparams(text, lines):
    return substitute(r'modparam\("auth_db", "use_domain", MULTIDOMAIN\)\n', lambda found: found + lines, text)


def first_in_route(text, lines):
    return substitute(r"(?m)^request_route \{\n", lambda found: found + lines, text)


def instead_of_check(text, lines):
    """In route[AUTH], in place of auth_check() and its challenge."""
    return substitute(words(documented()[1]), lambda _: lines, text)


def with_authban(text):
    """The stock configuration after the three steps of etc/authban.cfg."""
    first, _, new = documented()
    return instead_of_check(first_in_route(behind_modparams(text, 'include_file "authban.cfg"\n'), first), new)


def include_text(module):
    """etc/authban.cfg for a module that is not installed yet: it names its path."""
    with open(INCLUDE, encoding="utf-8") as text:
        return substitute('"authban.so"', lambda _: '"%s"' % module, text.read())

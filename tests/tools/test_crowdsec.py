# SPDX-License-Identifier: GPL-2.0-or-later
"""etc/crowdsec: our ban lines and no others, by the pattern itself, and by a real CrowdSec.

Debian's package starts a service, so scripts/install-deps --test only unpacks it, into .cache/crowdsec.
AUTHBAN_CROWDSEC names another folder.
"""
import collections
import json
import os
import re
import shutil
import subprocess

import pytest

from lib import ROOT, banlog
import proxies

ETC = os.path.join(ROOT, "etc", "crowdsec")
UNPACKED = os.environ.get("AUTHBAN_CROWDSEC") or os.path.join(ROOT, ".cache", "crowdsec")

# the names of grok that the pattern uses, as RE2 of grok's own files
GROK = {"IP": r"(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+)", "INT": r"[+-]?\d+", "NOTSPACE": r"\S+"}


@pytest.fixture(scope="module")
def log():
    lines, sources = banlog.everything()
    return lines, banlog.by_syslog(lines), sources


def pattern():
    """The parser's pattern as an expression of Python."""
    with open(os.path.join(ETC, "parsers", "s01-parse", "authban.yaml"), encoding="utf-8") as text:
        (found,) = re.findall(r"^  pattern: '(.*)'$", text.read(), re.M)
    return re.compile(re.sub(r"%\{(\w+):(\w+)\}", lambda m: "(?P<%s>%s)" % (m.group(2), GROK[m.group(1)]), found))


def message(line):
    """What the parser of syslog hands on: from behind the program's name, to the end of the line."""
    return re.match(r"\w+ +\d+ [\d:]+ \S+ kamailio\[\d+\]: (.*)", line).group(1)


def test_the_pattern_takes_ban_lines_and_no_others(log):
    found = [match for match in (pattern().match(message(line)) for line in log[1]) if match]
    print("\ncrowdsec pattern: lines=%d bans=%d found=%d" % (len(log[1]), len(log[2]), len(found)))
    assert collections.Counter(match["authban_ip"] + ("/" + match["authban_length"] if match["authban_length"] else "")
                               for match in found) == collections.Counter(log[2])


def test_the_pattern_takes_nothing_of_stderr(log):
    assert not any(pattern().match(line) for line in log[0] if line != banlog.LINE)


def where(*parts):
    path = os.path.join(UNPACKED, *parts)
    return path if os.path.exists(path) else None


CONFIG = """common: {daemonize: false, log_media: stdout, log_level: info, working_dir: %(folder)s}
config_paths: {config_dir: %(folder)s/etc/, data_dir: %(folder)s/data/, simulation_path: %(folder)s/etc/simulation.yaml,
  hub_dir: %(folder)s/hub/, index_path: %(folder)s/hub/.index.json, notification_dir: %(folder)s/etc/,
  plugin_dir: %(folder)s/etc/}
crowdsec_service: {acquisition_path: %(folder)s/etc/acquis.yaml, parser_routines: 1}
db_config: {type: sqlite, db_path: %(folder)s/data/crowdsec.db}
api:
  client: {credentials_path: %(folder)s/etc/login.yaml}
  server: {enable: true, log_level: info, listen_uri: "127.0.0.1:%(port)d", profiles_path: %(folder)s/etc/profiles.yaml}
prometheus: {enabled: false}
"""
PROFILE = """name: all
filters:
 - Alert.Remediation == true
decisions:
 - type: ban
   duration: 10m
on_success: break
"""
LOGIN = "url: http://127.0.0.1:%(port)d\nlogin: test\npassword: test\n"


@pytest.fixture
def crowdsec():
    """A folder with CrowdSec's own parser of syslog, and ours."""
    hub = where("usr/share/crowdsec/hub")
    if not (where("usr/bin/crowdsec") and hub):
        pytest.skip("CrowdSec is not here: scripts/install-deps --test")
    folder = proxies.private_folder("cs")
    try:
        for name in ("etc/parsers/s00-raw", "etc/parsers/s01-parse", "etc/parsers/s02-enrich", "etc/scenarios",
                     "etc/postoverflows", "data", "hub"):
            os.makedirs(os.path.join(folder, name))
        shutil.copytree(where("etc/crowdsec/patterns"), folder + "/etc/patterns")
        shutil.copy(hub + "/.index.json", folder + "/hub/")
        shutil.copy(hub + "/parsers/s00-raw/crowdsecurity/syslog-logs.yaml", folder + "/etc/parsers/s00-raw/")
        shutil.copy(hub + "/parsers/s02-enrich/crowdsecurity/dateparse-enrich.yaml", folder + "/etc/parsers/s02-enrich/")
        shutil.copy(ETC + "/parsers/s01-parse/authban.yaml", folder + "/etc/parsers/s01-parse/")
        shutil.copy(ETC + "/scenarios/authban.yaml", folder + "/etc/scenarios/")
        words = {"folder": folder, "port": proxies.free_port()}
        for name, text in (("etc/config.yaml", CONFIG % words), ("etc/profiles.yaml", PROFILE), ("etc/acquis.yaml", ""),
                           ("etc/simulation.yaml", "simulation: off\n"), ("etc/login.yaml", LOGIN % words)):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
                out.write(text)
        yield folder
    finally:
        proxies.remove_folder(folder)


def run(folder, program, *words):
    return subprocess.run([where("usr/bin", program), "-c", folder + "/etc/config.yaml", *words], capture_output=True,
                          text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)


def decisions(folder):
    """What CrowdSec's database holds afterwards: (scope, value)."""
    import sqlite3
    with sqlite3.connect(folder + "/data/crowdsec.db") as db:
        return db.execute("SELECT scope, value FROM decisions").fetchall()


def test_a_real_crowdsec_bans_who_we_ban(crowdsec, log):
    path = crowdsec + "/log"
    with open(path, "w", encoding="utf-8") as out:
        out.write("".join(line + "\n" for line in log[1]))
    done = run(crowdsec, "cscli", "machines", "add", "test", "--password", "test", "-f", crowdsec + "/etc/login.yaml")
    assert done.returncode == 0, done.stderr
    done = run(crowdsec, "crowdsec", "-dsn", "file://" + path, "-type", "syslog")
    found = set(decisions(crowdsec))
    print("\ncrowdsec: %s" % json.dumps(sorted(found)))
    assert found == {("Range" if "/" in source else "Ip", source) for source in log[2]}, done.stdout[-3000:]

# SPDX-License-Identifier: GPL-2.0-or-later
"""What Prometheus gets: a real scrape, the alerts, and every expression of the Grafana board."""
import json
import os
import re
import shutil
import subprocess

import pytest

from lib import ROOT
from lib.web import HOSTILE_USER, attack

PROMETHEUS = os.path.join(ROOT, "etc", "prometheus")
BOARD = os.path.join(ROOT, "etc", "grafana", "authban.json")
LINE = re.compile(r"(kamailio_authban_[a-z_]+) (\d+) (\d{13})")
NAME = re.compile(r"\bkamailio_authban_[a-z0-9_]+")

needs_promtool = pytest.mark.skipif(not shutil.which("promtool"),
                                    reason="promtool is not installed: scripts/install-deps --test")


def scrape(web):
    """{metric: number}; each line is a metric without labels, or empty, or a comment."""
    status, _, text = web.get("/metrics")
    assert status == 200
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    found = [LINE.fullmatch(line) for line in lines]
    assert all(found), lines
    return {match.group(1): int(match.group(2)) for match in found}


def promtool(*words, text=None):
    done = subprocess.run(["promtool", *map(str, words)], input=text, capture_output=True, text=True, timeout=30,
                          check=False, **({} if text is not None else {"stdin": subprocess.DEVNULL}))
    return done.returncode, done.stdout + done.stderr


def expressions():
    """Every expression of the board, with Grafana's variables filled in."""
    with open(BOARD, encoding="utf-8") as text:
        board = json.load(text)
    found = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    return [expr.replace("$instance", ".*").replace("$__rate_interval", "1m") for expr in found]


def test_a_scrape_has_every_counter_and_no_source(reader):
    before = scrape(reader)
    attack(reader.proxy, "127.44.1.1", 8)
    after, counters = scrape(reader), reader.proxy.authban()
    assert set(after) == {"kamailio_authban_" + name for name in counters}
    assert all(after["kamailio_authban_" + name] == value for name, value in counters.items())
    moved = {name: after["kamailio_authban_" + name] - before["kamailio_authban_" + name]
             for name in ("failures", "bans", "blocked")}
    print("\nmetrics: %d names, %s" % (len(after), moved))
    assert moved["failures"] == 5 and moved["bans"] == 1 and moved["blocked"] >= 1
    assert after["kamailio_authban_capacity"] == int(reader.proxy.rpc("authban.status")["capacity"])
    text = reader.get("/metrics")[2]
    assert "127.44" not in text and HOSTILE_USER not in text and "{" not in text


def test_every_metric_that_is_named_exists(reader):
    exist, named = set(scrape(reader)), set()
    for folder, _, names in os.walk(os.path.join(ROOT, "etc")):
        for name in names:
            if name.endswith((".yml", ".json")):
                with open(os.path.join(folder, name), encoding="utf-8") as text:
                    named |= set(NAME.findall(text.read()))
    with open(os.path.join(ROOT, "docs", "metrics.md"), encoding="utf-8") as text:
        named |= set(NAME.findall(text.read()))
    print("\nmetrics: %d are named in rules, board and manual" % len(named))
    assert len(named) > 15 and named <= exist, named - exist


@needs_promtool
def test_the_rules_hold():
    for words in (("check", "rules", "authban.rules.yml"), ("test", "rules", "authban.test.yml"),
                  ("check", "config", "prometheus.yml")):
        status, text = promtool(*words[:2], os.path.join(PROMETHEUS, words[2]))
        assert status == 0, text


@needs_promtool
def test_every_alert_is_tested(tmp_path):
    """An alert that never fires is found by the unit tests, and so is one that always does."""
    with open(os.path.join(PROMETHEUS, "authban.rules.yml"), encoding="utf-8") as text:
        rules = text.read()
    shutil.copy(os.path.join(PROMETHEUS, "authban.test.yml"), tmp_path)
    alerts = re.findall(r"- alert: (\w+)\n +expr: ((?:>-\n(?: {10}.*\n)+)|.*\n)", rules)
    assert len(alerts) == rules.count("- alert:") == 9
    for other in ("vector(1) == 0", "up or vector(1)"):
        broken = rules
        for name, expr in alerts:
            at = broken.index(expr, broken.index("- alert: %s\n" % name))
            broken = broken[:at] + other + "\n" + broken[at + len(expr):]
        (tmp_path / "authban.rules.yml").write_text(broken)
        status, text = promtool("test", "rules", tmp_path / "authban.test.yml")
        assert status != 0 and all(name in text for name, _ in alerts), (other, text)
    print("\nmetrics: %d alerts, each found when it is broken" % len(alerts))


@needs_promtool
def test_every_expression_of_the_board_is_right(tmp_path):
    path = tmp_path / "board.yml"

    def check(found):
        rules = [{"record": "board:%d" % number, "expr": expr} for number, expr in enumerate(found)]
        path.write_text(json.dumps({"groups": [{"name": "board", "rules": rules}]}))
        return promtool("check", "rules", path)
    found = expressions()
    status, text = check(found)
    print("\nmetrics: %d expressions of the board" % len(found))
    assert status == 0 and "%d rules found" % len(found) in text, text
    assert check([*found, "rate(x)"])[0] != 0, "promtool looks at nothing"


@needs_promtool
def test_the_board_asks_for_counters_by_rate():
    """What only grows is never shown as it is, and what tells of now is never counted as growing."""
    now = {"entries", "banned", "breaker", "sync_lag_ms", "capacity"}
    for expr in expressions():
        for name in NAME.findall(expr):
            grows = name.replace("kamailio_authban_", "") not in now
            assert grows == bool(re.search(r"(rate|increase)\(" + name, expr)), expr

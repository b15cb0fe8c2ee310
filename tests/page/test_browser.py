# SPDX-License-Identifier: GPL-2.0-or-later
"""The page in a real browser: an attack appears, an unban works, hostile words stay text."""
import json
import os

import pytest

from lib.chromium import Browser, command
from lib.traffic import RoundRobin, silent
from lib.web import HOSTILE_AGENT, HOSTILE_USER, attack
from lib.wait import wait_for

pytestmark = pytest.mark.skipif(not command(), reason="chromium is not installed: scripts/install-deps --test")
AREA = "(document.getElementById('%s') || {}).innerText || ''"
SOURCES = ["127.43.1.%d" % host for host in range(1, 4)]
CAMPAIGN = ["127.43.1.%d" % host for host in range(11, 18)]


@pytest.fixture(scope="module")
def browser():
    with Browser() as one:
        yield one


def holds(area, text):
    return "(%s).includes(%s)" % (AREA % area, json.dumps(text))


def press(area, row, label):
    """Click a button by its text; row: a text that its table row has."""
    return """(() => {
        const row = [...document.querySelectorAll('#%s tr')].find(r => r.innerText.includes(%s));
        const b = row && [...row.querySelectorAll('button')].find(x => x.textContent === %s);
        if(b) b.click();
        return Boolean(b); })()""" % (area, json.dumps(row), json.dumps(label))


@pytest.fixture(scope="module")
def watched(web, browser):
    """The page is open first, and then the attack comes."""
    browser.open("http://%s/authban/" % web.host)
    browser.wait(holds("peers", "node-2"))
    assert browser.wait(holds("bans", "nobody is banned"))
    for source in SOURCES:
        attack(web.proxy, source, 8)
    wait_for(lambda: set(SOURCES) <= set(web.proxy.bans()), 5, "they are banned")
    for source in CAMPAIGN:
        attack(web.proxy, source, 1, user="alice", agent="friendly-scanner")
    with RoundRobin([web.proxy], "127.43.2.1") as attacker:
        attacker.send(150, 300)
    browser.wait(" && ".join(holds("bans", source) for source in SOURCES))
    return browser


def test_an_attack_appears(web, watched):
    row = watched.value("[...document.querySelectorAll('#bans tr')].find(r => r.innerText.includes('%s')).innerText"
                        % SOURCES[0])
    print("\npage: %s" % row.replace("\t", " | "))
    assert "threshold" in row or "campaign" in row
    assert web.proxy.node in row
    assert watched.value("/\\b(9|10):\\d\\d\\b/.test(%s)" % json.dumps(row)), "a countdown"
    assert watched.wait(holds("top", SOURCES[1]))
    assert watched.wait(holds("networks", "127.43.1.0/24"))
    assert watched.wait("rates.some(r => r.failures > 0 && r.blocked >= 0)")
    assert watched.wait("document.querySelectorAll('#chart polyline').length") == 3
    assert "connected" in watched.value(AREA % "redis") and "in step" in watched.value(AREA % "peers")


def test_the_countdown_counts(watched):
    first = watched.value("document.querySelector('#bans [data-until]').textContent")
    watched.wait("document.querySelector('#bans [data-until]').textContent !== %s" % json.dumps(first), 3)


def test_hostile_words_stay_text(watched):
    """A user and a User-Agent that would be a script."""
    watched.value("void (window.h = () => { window.hacked = 1; })")
    assert watched.wait(holds("users", HOSTILE_USER))
    assert watched.wait(press("top", SOURCES[0], SOURCES[0]))
    assert watched.wait(holds("samples", HOSTILE_AGENT))
    print("\npage: %s" % watched.value(AREA % "samples").splitlines()[1])
    assert watched.value("window.hacked === undefined && document.querySelectorAll('img').length === 0 "
                         "&& document.scripts.length === 1")
    assert not [error for error in watched.errors() if "favicon" not in error], watched.errors()
    # the page's policy alone stops a script, too
    watched.value("(() => { const s = document.createElement('script'); "
                  "try { s.text = 'window.h()'; document.body.append(s); } catch(e) { return String(e); } })()")
    assert watched.value("window.hacked === undefined")
    watched.value("document.getElementById('box').close()")
    watched.events.clear()


def test_a_hostile_proxy_stays_text(web, watched):
    """Whatever stands in an answer, in every place of the page: the module would not let it through."""
    watched.open("http://%s/authban/" % web.host)
    assert watched.wait(holds("bans", SOURCES[0]))
    watched.value("""(() => {
        const bad = "<img src=x>", row = new Proxy({}, {get: (_, n) => n === "ttl" ? 99 : n === "sources" ? 9 : bad});
        const plain = {source: bad, reason: bad, [bad]: bad, network: {net: bad}, samples: [row]};
        window.rpc = async m => m === "authban.get" || m === "authban.evidence_get" ? plain : m === "authban.status"
            ? {node: bad, mode: bad, proof: bad, breaker: "open", redis: "disconnected", redis_last_error: bad,
               banned: bad, capacity: bad, redis_server: bad, peers: [row]} : [row];
        refresh(); })()""")
    assert watched.wait(" && ".join(holds(area, "<img src=x>") for area in (
        "who", "notices", "bans", "top", "networks", "users", "peers", "redis", "facts")))
    watched.value("details('<img src=x>')")
    watched.wait(holds("samples", "<img src=x>"))
    assert watched.value("document.querySelectorAll('img').length === 0")
    watched.value("confirm_act('x', 'y', '<img src=x>')")
    assert watched.value("document.querySelectorAll('img').length === 0")
    assert not [error for error in watched.errors() if "favicon" not in error], watched.errors()
    watched.events.clear()
    watched.open("http://%s/authban/" % web.host)
    watched.wait(holds("bans", SOURCES[0]))


def test_screenshot(watched, tmp_path):
    """PAGE_SCREENSHOT: where it is kept, for the manual."""
    path = os.environ.get("PAGE_SCREENSHOT") or str(tmp_path / "page.png")
    if "PAGE_SCREENSHOT" in os.environ:
        watched.wait("rates.length > 8", 30)
    size = watched.screenshot(path)
    print("\npage: a screenshot of %d bytes" % size)
    assert 10000 < size < 150000


def test_no_is_no(web, watched):
    assert watched.wait(press("bans", SOURCES[0], "unban"))
    watched.wait(holds("box", "Unban " + SOURCES[0]))
    watched.value("[...document.querySelectorAll('#box button')].find(b => b.textContent === 'No').click()")
    assert not watched.value("document.getElementById('box').open") and SOURCES[0] in web.proxy.bans()


def test_an_unban_works(web, watched):
    assert watched.wait(press("bans", SOURCES[0], "unban"))
    watched.wait("document.getElementById('box').open")
    watched.value("document.getElementById('yes').click()")
    wait_for(lambda: SOURCES[0] not in web.proxy.bans(), 3, "the ban is gone")
    watched.wait("!(%s)" % holds("bans", SOURCES[0]))
    assert not silent(web.proxy, SOURCES[0])


def test_an_allow_works(web, watched):
    assert watched.wait(press("bans", SOURCES[1], "allow"))
    watched.wait("document.getElementById('box').open")
    watched.value("document.getElementById('yes').click()")
    wait_for(lambda: web.proxy.rpc("authban.allow_list"), 3, "it is allowed")
    assert not silent(web.proxy, SOURCES[1])
    web.proxy.rpc("authban.allow_del", SOURCES[1])


def test_another_page_cannot_use_it(web, reader, watched):
    """From the origin of another port: a simple request, a JSON request, a frame."""
    watched.open("http://%s/authban/" % reader.host)
    watched.wait("document.getElementById('who').textContent.includes('read only')")
    assert watched.value("document.querySelectorAll('#bans button').length === 0 || "
                         "![...document.querySelectorAll('#bans button')].some(b => b.textContent === 'unban')")
    watched.open("http://%s/metrics" % reader.host)  # a page without a policy of its own
    body = json.dumps({"jsonrpc": "2.0", "method": "authban.unban", "params": [SOURCES[2]], "id": 1},
                      separators=(",", ":"))
    for mode, kind in (("no-cors", "text/plain"), ("no-cors", "application/json"), ("cors", "application/json")):
        watched.value("fetch('http://%s/authban/rpc', {method: 'POST', mode: '%s', headers: {'Content-Type': '%s'}, "
                      "body: %s}).then(a => a.type, e => 'refused')" % (web.host, mode, kind, json.dumps(body)))
    assert SOURCES[2] in web.proxy.bans()


def test_it_says_so_when_the_proxy_is_gone(web, watched):
    watched.open("http://%s/authban/" % web.host)
    watched.wait(holds("bans", SOURCES[2]))
    watched.value("window.fetch = () => Promise.reject(new Error('gone'))")
    watched.wait(holds("notices", "No answer from the proxy"), 5)

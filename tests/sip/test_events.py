# SPDX-License-Identifier: GPL-2.0-or-later
"""Event routes, native and in Lua: what they are told, where they run, and whom they never hold up."""
import os
import time

import pytest

from lib import ROOT
from lib.fleet import banned, fleet, wait_banned
from lib.kamailio import Proxy
from lib.sip import Guesser, Phone
from lib.wait import holds_for, wait_for

THRESHOLD = 5
KEMI = os.path.join(ROOT, "etc", "kamailio-authban-kemi.cfg")
SCRIPT = os.path.join(ROOT, "etc", "kamailio-authban.lua")
PROCESS = "authban events"
FIELDS = "event ip net state reason failures users ttl origin proof detail class".split()
QUIET = 0.25  # seconds in which an event would have come; it takes milliseconds

SAY = 'xlog("L_NOTICE", "EVENT %s\\n");' % " ".join("%s=[$authban(%s)]" % (name, name) for name in FIELDS)
NATIVE = """
loadmodule "cfgutils.so"
loadmodule "sqlops.so"
modparam("sqlops", "sqlcon", "db=>" DBURL)
event_route[authban:ban] { %(say)s %(ban)s }
event_route[authban:unban] { %(say)s }
""".replace('"db=>" DBURL', '"db=>%(database)s"')

# X-Call: what the test asks the script to do; the answer's reason is what came of it.
LUA = """
dofile("%(script)s")
local usual = ksr_request_route
local names = {%(names)s}
function on_event(name)
	local words = {"EVENT callback=[" .. name .. "]"}
	for _, field in ipairs(names) do
		local value = KSR.pv.get("$authban(" .. field .. ")")
		words[#words + 1] = field .. "=[" .. (value == nil and "<null>" or value) .. "]"
	end
	KSR.notice(table.concat(words, " ") .. "\\n")
	%(more)s
end
local calls = {
	field = function(name) return KSR.pv.get("$authban(" .. name .. ")") end,
	ban = function(ip)
		KSR.pv.sets("$avp(mine)", "kept")
		KSR.pv.sets("$xavp(also)", "kept")
		local before = KSR.pv.get("$ci")
		local rc = KSR.authban.ban(ip, 60, "script test")
		return rc .. KSR.pv.get("$avp(mine)") .. KSR.pv.get("$xavp(also)") .. tostring(before == KSR.pv.get("$ci"))
	end,
	many = function(count)
		for number = 0, count - 1 do
			KSR.authban.ban("10.0." .. math.floor(number / 256) .. "." .. number %% 256, 60, "many")
		end
		return "done"
	end,
}
function ksr_request_route()
	local what = KSR.pv.gete("$hdr(X-Call)")
	if what == "" then
		return usual()
	end
	local name, argument = what:match("(%%w+)%%s*(.*)")
	KSR.sl.sl_send_reply(299, tostring(calls[name](argument)))
	return 1
end
"""
CALLBACK = 'modparam("authban", "event_callback", "on_event")'


@pytest.fixture(params=["native", "lua"])
def settings(request, tmp_path):
    """settings(more): those of Proxy for a proxy that logs each event, and runs `more` (a pair: native, Lua)."""
    def make(more=("", ""), **defines):
        defines = dict({"AB_THRESHOLD": THRESHOLD}, **defines)
        if request.param == "native":
            return {"extra": NATIVE % {"say": SAY, "ban": more[0], "database": "sqlite:///nowhere"},
                    "defines": defines}
        return lua_settings(tmp_path, more[1], defines)
    return make


def lua_settings(folder, more="", defines=None):
    path = folder / "events.lua"
    path.write_text(LUA % {"script": SCRIPT, "more": more, "names": ", ".join('"%s"' % name for name in FIELDS)})
    return {"config": KEMI, "extra": CALLBACK, "defines": dict(defines or {}, LUA_SCRIPT=str(path))}


def events(proxy):
    """What the routes were told so far: a list of dictionaries; "" stands for $null too."""
    found = []
    for line in proxy.log_lines(r"EVENT .*event=\["):
        words = line.split("EVENT ", 1)[1].split("] ")
        row = dict(word.rstrip("]").split("=[", 1) for word in words)
        found.append({name: "" if value == "<null>" else value for name, value in row.items()})
    return found


def event(proxy, name, ip):
    """The one event of this name about this address, when it has come."""
    def there():
        return [row for row in events(proxy) if (row["event"], row["ip"]) == (name, ip)]
    wait_for(there, 3, "%s of %s" % (name, ip))
    holds_for(lambda: len(there()) == 1, QUIET, "only one " + name)
    return there()[0]


def call(proxy, words):
    with Guesser("alice", proxy.target, source="127.4.9.9", timeout=20) as caller:
        response = caller.send([("X-Call", words)])
    assert response.status == 299
    return response.reason


def guess(proxy, source, count=THRESHOLD):
    with Guesser("alice", proxy.target, source=source, timeout=0.4) as guesser:
        return [guesser.guess("wrong-%d" % n) for n in range(count)]


def test_a_ban_by_guesses_and_by_an_operator(proxy, settings):
    one = proxy(**settings())
    assert guess(one, "127.4.1.1")[-1] == 0
    made = event(one, "authban:ban", "127.4.1.1")
    one.rpc("authban.ban", "127.4.2.0/24", 77, "too many words")
    network = event(one, "authban:ban", "127.4.2.0/24")
    one.rpc("authban.unban", "127.4.1.1")
    lifted = event(one, "authban:unban", "127.4.1.1")
    print("\nevents: %s" % [made, network, lifted])
    assert made == dict(made, state="banned", reason="threshold: 5 failures in 600 s (threshold 5)", failures="5", users="1", net="127.4.1.1",
                        origin=one.node, proof="token", detail="")
    assert made["class"] == "" and 500 <= int(made["ttl"]) <= 600
    assert network == dict(network, state="banned", reason="too_many_words", net="127.4.2.0/24", ttl="77",
                           failures="0", proof="operator")
    assert lifted == dict(lifted, state="none", reason="operator", ttl="0", failures="0")
    assert len(events(one)) == 3
    assert all(row.get("callback", row["event"]) == row["event"] for row in events(one))
    assert one.authban()["events_dropped"] == 0


def test_allow_entries_are_no_events(proxy, settings):
    one = proxy(**settings())
    one.rpc("authban.allow_add", "127.4.5.5")
    one.rpc("authban.allow_del", "127.4.5.5")
    one.rpc("authban.ban", "127.4.5.6")
    event(one, "authban:ban", "127.4.5.6")
    assert len(events(one)) == 1
    print("\nevents: an allow entry and its end raised none")


def test_dry_run(proxy, settings):
    one = proxy(**settings(AB_MODE="dry_run"))
    assert guess(one, "127.4.1.1") == [401] * THRESHOLD
    made = event(one, "authban:ban", "127.4.1.1")
    print("\nevents in dry_run: %s" % made)
    assert made["state"] == "dry_run" and made["reason"] == "threshold: 5 failures in 600 s (threshold 5)"


def test_a_ban_heard_from_another_proxy(settings):
    with fleet(2, **settings()) as (_, (first, second)):
        guess(first, "127.4.1.1")
        wait_banned([first, second], "127.4.1.1")
        rows = [event(node, "authban:ban", "127.4.1.1") for node in (first, second)]
        second.rpc("authban.unban", "127.4.1.1")
        lifted = [event(node, "authban:unban", "127.4.1.1") for node in (first, second)]
        print("\nevents of two proxies: %s" % rows)
        assert [row["origin"] for row in rows + lifted] == ["node-1", "node-1", "node-2", "node-2"]
        assert all(row["state"] == "banned" and row["failures"] == "5" for row in rows)
        # The sync process has heard of it; the route runs where modules have their connections.
        pid = next(pid for pid, name in second.pids().items() if name == PROCESS)
        lines = second.log_lines("EVENT .*127.4.1.1")
        assert len(lines) == 2 and all("(%d)" % pid in line for line in lines)


def test_a_route_that_bans_does_not_call_itself(proxy, settings):
    one = proxy(**settings(('authban_ban("127.4.7.7", "60", "event"); authban_unban("127.4.7.7");'
                            'authban_ban("127.4.8.8", "60", "event");',
                            'KSR.authban.ban("127.4.7.7", 60, "event") KSR.authban.unban("127.4.7.7")'
                            'KSR.authban.ban("127.4.8.8", 60, "event")')))
    one.rpc("authban.ban", "127.4.6.6")
    event(one, "authban:ban", "127.4.6.6")
    wait_for(lambda: banned(one, "127.4.8.8"), 2, "the route has banned")
    holds_for(lambda: len(events(one)) == 1, QUIET, "the route's own ban runs no route")
    print("\nevents of a route that bans and unbans: %d, bans %s" % (len(events(one)), sorted(one.bans())))
    assert sorted(one.bans()) == ["127.4.6.6", "127.4.8.8"]


def test_a_slow_route_holds_up_nobody(proxy, settings):
    one = proxy(**settings(('sleep("1");', 'os.execute("sleep 1")')))
    begin = time.monotonic()
    guess(one, "127.4.5.1")
    for number in range(2):
        one.rpc("authban.ban", "127.4.6.%d" % number)
    with Phone("bob", "bob-secret", one.target, source="127.4.4.4") as phone:
        assert phone.register().status == 200
    took = time.monotonic() - begin
    early = len(events(one))
    wait_for(lambda: len(events(one)) == 3, 9, "all events")
    order = [row["ip"] for row in events(one)]
    print("\nevents with a route of 1 s: three bans and a phone took %.2f s, %d events by then, 3 in the end" % (
        took, early))
    assert took < 0.9 and early == 1
    assert order == ["127.4.5.1", "127.4.6.0", "127.4.6.1"]


def test_without_a_route_there_is_nothing(proxy):
    one = proxy(defines={"AB_THRESHOLD": THRESHOLD})
    guess(one, "127.4.1.1")
    assert PROCESS not in one.pids().values()
    other = proxy(extra='event_route[authban:unban] { %s }' % SAY)
    other.rpc("authban.ban", "127.4.1.1")
    other.rpc("authban.unban", "127.4.1.1")
    event(other, "authban:unban", "127.4.1.1")
    assert len(events(other)) == 1
    assert sorted(set(other.pids().values()) - set(one.pids().values()))[0] == PROCESS
    print("\nevents: without a route no process more; with one for unban, the ban raised nothing")


def test_a_route_has_the_modules_connections(proxy):
    """The process has had child_init: a route can ask the database of sqlops."""
    query = 'sql_query("db", "SELECT count(*) FROM subscriber", "all"); ' \
            'xlog("L_NOTICE", "ROWS $dbr(all=>[0,0])\\n");'
    one = Proxy(extra="")
    try:
        one.config = one._wrap(one.config, NATIVE % {"say": SAY, "ban": query, "database": "sqlite:///" + one.database})
        one.start()
        one.rpc("authban.ban", "127.4.1.1")
        event(one, "authban:ban", "127.4.1.1")
        rows = wait_for(lambda: one.log_lines("ROWS "), 2, "the query's answer")
        print("\nevents: %s" % rows[0].split("<script>: ")[-1])
        assert rows[0].endswith("ROWS 3")
        one.end()
    finally:
        one.close()


def test_the_message_is_not_touched(proxy, tmp_path):
    one = proxy(**lua_settings(tmp_path, 'KSR.pv.sets("$avp(mine)", "lost") KSR.x.exit()'))
    said = [call(one, "ban 127.4.1.%d" % number) for number in range(3)]
    event(one, "authban:ban", "127.4.1.2")
    print("\nevents of a script's bans: the message afterwards %s" % said)
    assert said == ["1keptkepttrue"] * 3
    assert event(one, "authban:ban", "127.4.1.1")["reason"] == "script_test"
    assert call(one, "field ip") == "127.4.9.9" and call(one, "field event") == "nil"


def test_too_many_events_are_counted(proxy, tmp_path):
    """The route sleeps; the pipe takes some thousands, the rest is dropped, and nobody waits."""
    one = proxy(**lua_settings(tmp_path, 'if KSR.pv.get("$authban(ip)") == "10.0.0.0" then os.execute("sleep 3") end'))
    begin = time.monotonic()
    assert call(one, "many 9000") == "done"
    took = time.monotonic() - begin
    dropped = one.authban()["events_dropped"]
    # The script asked $authban() a hundred thousand times: give it time.
    wait_for(lambda: len(one.log_lines("EVENT ")) == 9000 - dropped, 15, "those that were taken have run", pause=0.2)
    print("\nevents: 9,000 bans at once took %.2f s, %d events ran, %d dropped and counted" % (
        took, 9000 - dropped, dropped))
    assert 0 < dropped < 9000
    assert took < 2.5, "the worker waited for the route"

# SPDX-License-Identifier: GPL-2.0-or-later
"""The same registrar with its routes in Lua (etc/kamailio-authban-kemi.cfg): KSR.authban does what authban_* does."""
import os

import pytest

from lib import ROOT
from lib.lan import address_of, counted

THRESHOLD = 5
CONFIG = os.path.join(ROOT, "etc", "kamailio-authban-kemi.cfg")
SCRIPT = os.path.join(ROOT, "etc", "kamailio-authban.lua")

# A header makes the script of the test call functions that a registrar has no use for.
OPERATOR = """
dofile("%s")
local usual = ksr_request_route
local function value(name)
	return tostring(KSR.pv.get("$authban(" .. name .. ")"))
end
local calls = {
	ban = function(ip) return KSR.authban.ban(ip, 60, "test") end,
	unban = function(ip) return KSR.authban.unban(ip) end,
	check = function(ip) return KSR.authban.check_ip(ip) end,
	state = function() return value("state") .. "," .. value("failures") .. "," .. value("net") end,
	result = function(user) return KSR.authban.result_user(-2, user) end,
}
function ksr_request_route()
	local what = KSR.pv.gete("$hdr(X-Call)")
	if what == "" then
		return usual()
	end
	local name, argument = what:match("(%%w+)%%s*(.*)")
	KSR.sl.sl_send_reply(299, name .. " " .. tostring(calls[name](argument)))
	return 1
end
"""


@pytest.fixture(scope="module")
def operator_script(tmp_path_factory):
    path = tmp_path_factory.mktemp("lua") / "operator.lua"
    path.write_text(OPERATOR % SCRIPT)
    return str(path)


@pytest.fixture(scope="module")
def lua(lan, operator_script):
    return lan.proxy(AB_THRESHOLD=THRESHOLD, LUA_SCRIPT=operator_script, settings={"config": CONFIG})


def call(guesser, words):
    """What the script's function returned, as text."""
    response = guesser.send([("X-Call", words)])
    assert response.status == 299
    return response.reason.split(" ", 1)[1]


def test_the_example_itself_starts(lan):
    proxy = lan.proxy(LUA_SCRIPT=SCRIPT, settings={"config": CONFIG})
    phone = lan.phone(proxy)
    result = phone.register()
    print("\nkemi example: status=%d trips=%d methods=%d" % (
        result.status, result.round_trips, len(proxy.rpc("app_lua.api_list")["methods"])))
    assert result == (200, 2)
    assert not proxy.log_lines("error from Lua|attempt to|ERROR: app_lua")


@pytest.mark.parametrize("kind", ["real", "svcrack"])
@pytest.mark.parametrize("qop", [False, True])
def test_guesses_are_banned_at_the_threshold(lan, operator_script, kind, qop):
    proxy = lan.proxy(AB_THRESHOLD=THRESHOLD, WITH_QOP=qop, LUA_SCRIPT=operator_script, settings={"config": CONFIG})
    guesser = lan.guesser(proxy, kind=kind)
    statuses = [guesser.guess("wrong-%d" % n) for n in range(THRESHOLD)]
    row = proxy.bans().get(address_of(guesser))
    print("\nkemi %s qop=%d: statuses=%s evaluated=%d ban=%s" % (kind, qop, statuses, proxy.evaluated(), row))
    assert statuses == [401] * (THRESHOLD - 1) + [0]
    assert guesser.challenge() is None
    assert proxy.evaluated() == THRESHOLD
    assert row["proof"] == "token" and row["failures"] == THRESHOLD


@pytest.mark.parametrize("method", ["INVITE", "SUBSCRIBE", "PUBLISH", "MESSAGE", "BYE"])
def test_every_method_counts(lan, lua, method):
    guesser = lan.guesser(lua, method=method, to_tag="abc" if method == "BYE" else None)
    statuses = [guesser.guess("wrong-%d" % n) for n in range(THRESHOLD)]
    print("\nkemi %s: statuses=%s" % (method, statuses))
    assert statuses == [407] * (THRESHOLD - 1) + [0]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_an_honest_phone(lan, lua, transport):
    before = counted(lua)
    phone = lan.phone(lua, transport=transport)
    trips = [phone.register().round_trips for _ in range(3)]
    print("\nkemi phone %s: trips=%s last=%d" % (transport, trips, phone.last.status))
    assert trips == [2, 1, 1]
    assert phone.last.status == 200
    assert counted(lua) == before


def test_a_forged_nonce_is_asked_again(lan, lua):
    guesser = lan.guesser(lua)
    before = counted(lua)
    challenge = dict(guesser.challenge(), opaque=None)
    statuses = [guesser.answer(challenge, "wrong-%d" % n) for n in range(2 * THRESHOLD)]
    stale = guesser.last.challenge().get("stale")
    print("\nkemi without a token: statuses=%s stale=%s" % (sorted(set(statuses)), stale))
    assert set(statuses) == {401}
    assert stale.lower() == "true"
    assert counted(lua) == before


def test_a_dead_database(lan):
    proxy = lan.proxy(AB_THRESHOLD=THRESHOLD, LUA_SCRIPT=SCRIPT, settings={"config": CONFIG})
    guesser = lan.guesser(proxy)
    with open(proxy.database, "r+b") as file:
        file.truncate(0)
    statuses = [guesser.guess() for _ in range(10)]
    print("\nkemi database: statuses=%s counted=%s" % (sorted(set(statuses)), counted(proxy)))
    assert statuses == [503] * 10
    assert guesser.last.header("retry-after") == "30"
    assert set(counted(proxy).values()) == {0}


def test_ban_and_unban_from_lua(lan, lua):
    guesser, other = lan.guesser(lua), lan.guesser(lua)
    there = address_of(other)
    said = [call(guesser, words + " " + there) for words in ("check", "ban", "check")]
    row = lua.bans().get(there)
    silent = other.challenge()
    said += [call(guesser, words + " " + there) for words in ("unban", "check")]
    again = other.challenge()
    print("\nkemi check, ban, check, unban, check: %s reason=%s" % (said, row and row["reason"]))
    assert said == ["1", "1", "-1", "1", "1"]
    assert row["reason"] == "test" and row["proof"] == "operator"
    assert silent is None and again
    assert [call(guesser, "ban nonsense"), call(guesser, "unban nonsense")] == ["-1", "-1"]


def test_values_from_lua(lan, lua):
    guesser = lan.guesser(lua)
    here = address_of(guesser)
    before = call(guesser, "state")
    guesser.guess()
    after = call(guesser, "state")
    print("\nkemi $authban(state,failures,net): %s then %s" % (before, after))
    assert before == "none,0,%s" % here
    assert after == "watched,1,%s" % here


def test_result_with_a_user_from_lua(lan, lua):
    """A back end that looks at no SIP credentials still needs some in the message to count."""
    guesser = lan.guesser(lua)
    before = counted(lua)
    assert call(guesser, "result somebody") == "-1"
    assert counted(lua) == before
    print("\nkemi result_user without credentials: -1, nothing counted")

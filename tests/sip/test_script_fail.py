# SPDX-License-Identifier: GPL-2.0-or-later
"""authban_fail(): failures that the script finds by its own means, from kamailio.cfg, Lua and core:msg-received."""
import os

import pytest

from lib import ROOT
from lib.calls import call, calling_config
from lib.lan import address_of
from lib.wait import wait_for

THRESHOLD = 5
FRIEND = "203.0.113.7"
ALLOWED = 'modparam("authban", "allow", "%s")\n' % FRIEND
# Asked before anything is parsed; a shared variable turns it on.
RAW = """
event_route[core:msg-received] {
	if ($shv(raw) == 1) {
		authban_fail();
	}
}
"""
LUA = """
dofile("%s")
local usual = ksr_request_route
local calls = {
	fail0 = function(ip, user, weight) return KSR.authban.fail() end,
	fail1 = function(ip, user, weight) return KSR.authban.fail_ip(ip) end,
	fail2 = function(ip, user, weight) return KSR.authban.fail_user(ip, user) end,
	fail3 = function(ip, user, weight) return KSR.authban.fail_weight(ip, user, tonumber(weight) or 0) end,
	heavy = function(ip, user, weight) return KSR.authban.fail_weight(ip, "", 5) end,
	check = function(ip, user, weight) return KSR.authban.check_ip(ip) end,
}
function ksr_request_route()
	local name = KSR.pv.gete("$hdr(X-Call)")
	if name == "" then
		return usual()
	end
	local said = calls[name](KSR.pv.gete("$hdr(X-Ip)"), KSR.pv.gete("$hdr(X-User)"), KSR.pv.gete("$hdr(X-Weight)"))
	KSR.sl.sl_send_reply(299, tostring(said))
	return 1
end
"""


@pytest.fixture(scope="module", params=["cfg", "lua"])
def proxy(request, lan, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fail")
    defines = {"AB_THRESHOLD": THRESHOLD}
    if request.param == "cfg":
        settings = {"config": calling_config(folder, more="received_route_mode=1\n" + RAW), "extra": ALLOWED}
    else:
        script = folder / "fail.lua"
        script.write_text(LUA % os.path.join(ROOT, "etc", "kamailio-authban.lua"))
        defines["LUA_SCRIPT"] = str(script)
        settings = {"config": os.path.join(ROOT, "etc", "kamailio-authban-kemi.cfg"), "extra": ALLOWED}
    made = lan.proxy(settings=settings, **defines)
    made.kind = request.param
    return made


@pytest.fixture(scope="module")
def caller(lan, proxy):
    """Somebody who makes the script call its functions."""
    return lan.guesser(proxy)


NUMBERS = iter(range(1, 250))


@pytest.fixture
def victim():
    """An address that nobody had."""
    return "198.18.%d.1" % next(NUMBERS)


def known(proxy, source):
    return proxy.rpc("authban.get", source)


def test_of_the_message_itself(lan, proxy):
    guesser = lan.guesser(proxy)
    said = [call(guesser, "fail0") for _ in range(THRESHOLD)]
    row = known(proxy, address_of(guesser))
    print("\nauthban_fail() %s: returned %s, then banned by proof %s" % (proxy.kind, said, row["proof"]))
    assert said == [1] * THRESHOLD
    assert (row["state"], row["reason"], row["proof"]) == ("banned", "threshold", "script")
    assert guesser.challenge() is None


def test_of_an_address(proxy, caller, victim):
    for number in range(THRESHOLD - 1):
        assert call(caller, "fail1", victim) == 1
    assert call(caller, "check", victim) == 1
    assert call(caller, "fail1", victim) == 1
    assert call(caller, "check", victim) == -1
    row = known(proxy, victim)
    print("\nauthban_fail(ip) %s: failures=%d users=%d state=%s" % (
        proxy.kind, row["failures"], row["users"], row["state"]))
    assert (row["failures"], row["users"]) == (THRESHOLD, 0)


def test_of_a_user(proxy, caller, victim):
    for user in ("alice", "bob", "alice", "carol", "dave"):
        assert call(caller, "fail2", victim, user) == 1
    row = known(proxy, victim)
    print("\nauthban_fail(ip, user) %s: failures=%d users=%d" % (proxy.kind, row["failures"], row["users"]))
    # an estimate from 32 bits: two may have the same one
    assert row["failures"] == 5 and 2 <= row["users"] <= 4


@pytest.mark.parametrize("weight", [1, 3, 4, 5, 1000])
def test_a_weight(proxy, caller, victim, weight):
    assert call(caller, "fail3", victim, "alice", weight) == 1
    row = known(proxy, victim)
    print("\nauthban_fail(ip, user, %d) %s: failures=%d state=%s" % (weight, proxy.kind, row["failures"], row["state"]))
    assert row["failures"] == weight
    assert row["state"] == ("banned" if weight >= THRESHOLD else "watched")


def test_a_weight_written_as_text(proxy, caller, victim):
    assert call(caller, "heavy", victim) == 1
    assert known(proxy, victim)["state"] == "banned"


@pytest.mark.parametrize("name,ip,user,weight,said", [
    ("fail1", "nonsense", None, None, "not an IP address"),
    ("fail1", "198.18.255.0/24", None, None, "not an IP address"),
    ("fail1", "198.18.255.1:5060", None, None, "not an IP address"),
    ("fail2", "1.2.3", "alice", None, "not an IP address"),
    ("fail3", "198.18.255.1", "alice", 0, "the weight is 0; allowed is 1 to 1000"),
    ("fail3", "198.18.255.1", "alice", -5, "the weight is -5; allowed is 1 to 1000"),
    ("fail3", "198.18.255.1", "alice", 1001, "the weight is 1001; allowed is 1 to 1000"),
    ("fail3", "198.18.255.1", "alice", "many", "the weight is 0; allowed is 1 to 1000"),
])
def test_what_is_wrong_is_logged_and_counts_nothing(proxy, caller, name, ip, user, weight, said):
    before, lines = proxy.authban(), len(proxy.log_lines(said))
    assert call(caller, name, ip, user, weight) == -1
    assert len(proxy.log_lines("ERROR: authban .*authban_fail: " + said)) == lines + 1
    after = proxy.authban()
    assert (after["failures"], after["entries"]) == (before["failures"], before["entries"])
    print("\nauthban_fail %s with %s %s: -1, %s" % (proxy.kind, ip, weight, said))


def test_the_allow_list_wins(proxy, caller):
    before = proxy.authban()["failures"]
    said = [call(caller, "fail3", FRIEND, "alice", 1000), call(caller, "check", FRIEND)]
    print("\nauthban_fail %s of an allow-listed address: %s" % (proxy.kind, said))
    assert said == [-1, 1]
    assert proxy.authban()["failures"] == before
    assert known(proxy, FRIEND)["state"] == "allowed"


def test_mode_off_counts_nothing(proxy, caller, victim):
    proxy.rpc("cfg.set_now_int", "authban", "mode", 0)
    try:
        assert call(caller, "fail1", victim) == -1
    finally:
        proxy.rpc("cfg.set_now_int", "authban", "mode", 2)
    assert call(caller, "fail1", victim) == 1
    assert known(proxy, victim)["failures"] == 1


def test_behind_a_shared_address_only_the_pair_is_banned(lan, proxy):
    phone = lan.phone(proxy)
    assert phone.register().status == 200
    source = address_of(phone)
    other = lan.guesser(proxy)
    for _ in range(THRESHOLD):
        assert call(other, "fail2", source, "scanner") == 1
    row = known(proxy, source)
    print("\nauthban_fail %s at a shared source: state=%s pairs=%s" % (
        proxy.kind, row["state"], [pair["state"] for pair in row["pairs"]]))
    assert row["state"] == "watched" and [pair["state"] for pair in row["pairs"]] == ["banned"]
    assert phone.register().status == 200


@pytest.mark.parametrize("proxy", ["cfg"], indirect=True)
def test_before_parsing(lan, proxy):
    """In core:msg-received the source is that of the datagram, not that of the message made up for the route."""
    guesser = lan.guesser(proxy, timeout=0.3)
    proxy.rpc("pv.shvSet", "raw", "int", 1)
    for _ in range(THRESHOLD):
        guesser.send()
    proxy.rpc("pv.shvSet", "raw", "int", 0)
    wait_for(lambda: address_of(guesser) in proxy.bans(), 2, "it is banned")
    print("\nauthban_fail() in core:msg-received: %s" % proxy.bans()[address_of(guesser)])
    assert "1.0.0.127" not in proxy.bans()
    assert guesser.challenge() is None

-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The routes of kamailio-authban.cfg in Lua, for kamailio-authban-kemi.cfg.
--
-- KSR.authban.* is what authban_* is in kamailio.cfg: positive is true, negative is false.
--   check() check_ip(ip) proven() result(rc) result_user(rc, user) challenge(realm, flags)
--   ban(ip, seconds, reason) unban(ip)
-- and $authban(field) is KSR.pv.get("$authban(field)").

local function reply(code, reason)
	KSR.sl.sl_send_reply(code, reason)
	KSR.x.exit()
end

local function relay()
	if KSR.tm.t_relay() < 0 then
		KSR.sl.sl_reply_error()
	end
	KSR.x.exit()
end

local function request_init()
	KSR.force_rport()
	if KSR.maxfwd.process_maxfwd(10) < 0 then
		reply(483, "Too Many Hops")
	end
	if KSR.sanity.sanity_check(17895, 7) < 0 then
		KSR.x.exit()
	end
	if KSR.is_method("OPTIONS") and KSR.is_myself_ruri() then
		reply(200, "OK")
	end
end

local function challenge(realm)
	KSR.authban.challenge(realm, KSR.pv.get("$var(challenge_flags)"))
	KSR.x.exit()
end

-- The database is down: nobody's password is wrong, so ask nobody for another one.
local function backend_down()
	KSR.hdr.append_to_reply("Retry-After: 30\r\n")
	reply(503, "Service Unavailable")
end

local function authenticate()
	local realm = KSR.pv.gete("$fd")

	-- Nobody is judged by a password that a forged packet could have brought.
	if KSR.authban.proven() < 0 then
		challenge(realm)
	end
	if KSR.hdr.is_present("Authorization") > 0 or KSR.hdr.is_present("Proxy-Authorization") > 0 then
		KSR.statistics.update_stat("auth_evaluated", 1)
	end
	local rc = KSR.auth_db.auth_check(realm, "subscriber", 1)
	if KSR.authban.result(rc) < 0 then
		if KSR.pv.get("$authban(class)") == "backend_error" then
			backend_down()
		end
		challenge(realm)
	end
	if not KSR.is_method("REGISTER") and not KSR.is_method("PUBLISH") then
		KSR.auth.consume_credentials()
	end
end

local function auth()
	if KSR.is_method("REGISTER") or KSR.is_myself_furi() then
		authenticate()
	end
	-- Strangers may call our users; nobody may relay through us to elsewhere.
	if not KSR.is_myself_furi() and not KSR.is_myself_ruri() then
		reply(403, "Not relaying")
	end
end

local function within_dialog()
	if KSR.siputils.has_totag() < 0 then
		return
	end
	if KSR.rr.loose_route() > 0 then
		relay()
	end
	if KSR.is_method("ACK") then
		if KSR.tm.t_check_trans() > 0 then
			relay()
		end
		KSR.x.exit()
	end
	-- A To tag without a route is meant for us: passwords can be guessed here as well as anywhere.
	auth()
	reply(481, "Call/Transaction Does Not Exist")
end

-- True for CANCEL and for what the transaction layer knows already.
local function transaction()
	if KSR.is_method("CANCEL") then
		if KSR.tm.t_check_trans() > 0 then
			relay()
		end
		return true
	end
	if KSR.is_method("ACK") then
		return false
	end
	local known = KSR.tmx.t_precheck_trans() > 0
	KSR.tm.t_check_trans()
	return known
end

local function register()
	if KSR.registrar.save("location", 0) < 0 then
		KSR.sl.sl_reply_error()
	end
end

local function to_user()
	if KSR.is_myself_ruri() and KSR.registrar.lookup("location") < 0 then
		reply(404, "Not Found")
	end
	relay()
end

function ksr_request_route()
	-- A banned source gets no answer and costs no more than this line.
	if KSR.authban.check() < 0 then
		return 1
	end

	request_init()
	if transaction() then
		return 1
	end
	within_dialog()
	auth()

	KSR.hdr.remove("Route")
	if KSR.is_method("INVITE") or KSR.is_method("SUBSCRIBE") then
		KSR.rr.record_route()
	end
	if KSR.is_method("REGISTER") then
		register()
		return 1
	end
	if (KSR.is_method("PUBLISH") or KSR.is_method("SUBSCRIBE")) and KSR.is_myself_ruri() then
		reply(489, "Bad Event")
	end
	to_user()
	return 1
end

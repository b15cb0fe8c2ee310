# SPDX-License-Identifier: GPL-2.0-or-later
"""Our configuration with a header X-Call, by which a test calls functions that a registrar does not."""
import os

from .sip import Guesser
import proxies

_CALLS = {
    "fail0": 'authban_fail()',
    "fail1": 'authban_fail("$hdr(X-Ip)")',
    "fail2": 'authban_fail("$hdr(X-Ip)", "$hdr(X-User)")',
    "fail3": 'authban_fail("$hdr(X-Ip)", "$hdr(X-User)", "$var(weight)")',
    "heavy": 'authban_fail("$hdr(X-Ip)", "", "5")',
    "check": 'authban_check("$hdr(X-Ip)")',
    "unban": 'authban_unban("$hdr(X-Ip)")',
}
_CASE = """
	case "%s":
		%s;
		sl_send_reply("299", "$rc");
		break;"""
_ROUTE = """
route[CALL] {
	$var(weight) = $(hdr(X-Weight){s.int});
	switch ($hdr(X-Call)) {%s
	case "why":
		sl_send_reply("299", "why $authban(state)/$authban(reason)");
		break;
	}
	exit;
}
""" % "".join(_CASE % pair for pair in _CALLS.items())
_BEGIN = "request_route {\n"
_RESULT = 'authban_result("$rc")'


def calling_config(folder, result=_RESULT, more=""):
    """Writes it; result: the call of authban_result() in route[AUTH]; more: text at the end."""
    with open(proxies.CONFIG, encoding="utf-8") as file:
        text = file.read()
    assert text.count(_BEGIN) == 1 and text.count(_RESULT) == 1
    text = text.replace(_RESULT, result)
    text = text.replace(_BEGIN, _BEGIN + '\tif (is_present_hf("X-Call")) { route(CALL); }\n')
    path = os.path.join(str(folder), "calls.cfg")
    with open(path, "w", encoding="utf-8") as out:
        out.write(text + _ROUTE + more)
    return path


def call(guesser, name, ip=None, user=None, weight=None):
    """What the function returned: a number, or the text of "why"; None: nobody answered."""
    headers = [("X-Call", name)]
    headers += [pair for pair in (("X-Ip", ip), ("X-User", user), ("X-Weight", weight)) if pair[1] is not None]
    response = guesser.send(headers)
    if response is None:
        return None
    assert response.status == 299, response.start
    return response.reason.partition(" ")[2] if name == "why" else int(response.reason)


class PolicyGuesser(Guesser):
    """Guesses whose results are judged by the policy that the header names."""
    policy = None

    def build(self, headers=(), method=None, user=None):
        more = [("X-Policy", self.policy)] if self.policy else []
        return super().build([*headers, *more], method, user)

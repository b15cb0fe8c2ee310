# SPDX-License-Identifier: GPL-2.0-or-later
"""A proxy that answers HTTP as etc/authban-page.cfg says, and an attacker with hostile words."""
import http.client
import json
import os

from . import ROOT
from .kamailio import Proxy
from .sip import Guesser
import proxies

CONFIG = os.path.join(ROOT, "etc", "authban-page.cfg")
PAGE = os.path.join(ROOT, "etc", "page", "authban.html")
# short enough that the module keeps them whole, and without what it escapes
HOSTILE_USER, HOSTILE_AGENT = "<img src=x onerror=h()>", "<img src=x onerror=h()><script>h()</script>"


class Web:
    """The HTTP side of a proxy: web.get("/metrics"), web.call("authban.status")."""

    def __init__(self, proxy, port):
        self.proxy, self.port, self.host = proxy, port, "127.0.0.1:%d" % port

    def ask(self, method, path, body=None, headers=None, source="127.0.0.1", port=None, timeout=3):
        """(status, headers, text)"""
        link = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=timeout, source_address=(source, 0))
        try:
            link.request(method, path, body, dict({"Host": self.host}, **(headers or {})))
            answer = link.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            link.close()

    def get(self, path, **more):
        return self.ask("GET", path, **more)

    def post(self, body, **headers):
        """What the page's own fetch sends, with some headers changed (None: left out); the status and the text."""
        sent = {"Content-Type": "application/json", "Origin": "http://" + self.host}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        status, _, text = self.ask("POST", "/authban/rpc", body,
                                   {name: value for name, value in sent.items() if value is not None})
        return status, text

    def call(self, method, *params):
        return self.post(written(method, *params))


def written(method, *params):
    """A call as JSON.stringify writes it."""
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": list(params), "id": 1}, separators=(",", ":"))


def web_proxy(write, page=PAGE, node="node-1", **more):
    """(a Proxy that is not started, the port of its page)."""
    port = proxies.free_port()
    names = {"AUTHBAN_HTTP_LISTEN": "tcp:127.0.0.1:%d" % port, "AUTHBAN_HTTP_PORT": port,
             "AUTHBAN_PAGE_FILE": '"%s"' % page}
    if write:
        names["AUTHBAN_PAGE_WRITE"] = ""
    extra = "".join("#!define %s %s\n" % pair for pair in names.items())
    extra += 'include_file "%s"\nmodparam("authban", "privacy", "off")\n' % CONFIG
    return Proxy(node=node, extra=extra, defines={"AB_THRESHOLD": 5, "AB_NET_SOURCES": 4, "AB_USER_SOURCES": 4},
                 **more), port


def attack(proxy, source, guesses, user=HOSTILE_USER, agent=HOSTILE_AGENT):
    """Wrong passwords, until nobody answers."""
    with Guesser("alice", proxy.target, source=source, timeout=0.2) as guesser:
        for number in range(guesses):
            challenge = guesser.challenge()
            if not challenge:
                return
            answer = guesser.answer_header(challenge, "wrong-%d" % number, user=user)
            guesser.send([answer, ("User-Agent", agent)])

# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls to a proxy over the unix datagram socket of jsonrpcs (modparam dgram_socket)."""
import itertools
import json
import os
import socket

from . import Problem, clean

DEFAULT = "/run/kamailio/kamailio_rpc.sock"
_ANSWER_MAX = 1 << 20
_numbers = itertools.count()


def _remove(path):
    try:
        os.unlink(path)
    except OSError:
        pass


class RpcFault(Problem):
    """The proxy refused the call; code as it gave it."""

    def __init__(self, code, text):
        super().__init__("%s (%s)" % (clean(text), clean(code, 8)))
        self.code = code


class Proxy:
    """`Proxy(path).call("authban.status")`: the result, RpcFault, or Problem when nobody answers."""

    def __init__(self, path=DEFAULT, timeout=3.0):
        self.path, self.timeout = path, timeout

    def call(self, method, *params):
        request = {"jsonrpc": "2.0", "method": method, "params": list(params), "id": 1}
        if not params:
            del request["params"]
        data = self._ask(json.dumps(request).encode())
        try:
            answer = json.loads(data.decode("utf-8", "replace"))
        except ValueError:
            raise Problem("the answer to %s is not JSON" % method) from None
        if not isinstance(answer, dict):
            raise Problem("the answer to %s is not an object" % method)
        if "error" in answer:
            error = answer["error"] if isinstance(answer["error"], dict) else {}
            raise RpcFault(error.get("code", 0), error.get("message", ""))
        return answer.get("result")

    def _ask(self, data):
        # beside the proxy's own, where it can write to, in another container too; else a name of the
        # kernel's choice, which is good in this network namespace only
        own = os.path.join(os.path.dirname(self.path), "ab%d-%d" % (os.getpid(), next(_numbers)))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            try:
                try:
                    sock.bind(own)
                    os.chmod(own, 0o666)  # the proxy is another user; once connected, nobody else is heard
                except OSError:
                    own = None
                    sock.bind("")
                sock.settimeout(self.timeout)
                sock.connect(self.path)
                sock.send(data)
                return sock.recv(_ANSWER_MAX)
            except OSError as error:
                raise Problem("no answer at %s: %s" % (clean(self.path), error.strerror or error)) from None
            finally:
                if own:
                    _remove(own)

    def rows(self, method, *params):
        """The result as a list of dictionaries."""
        answer = self.call(method, *params)
        rows = answer if isinstance(answer, list) else [answer]
        return [row for row in rows if isinstance(row, dict)]

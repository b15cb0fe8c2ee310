# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls to a proxy on this machine, for programs that show the answers on a terminal."""
from authban_lib.rpc import DEFAULT, RpcFault, SocketRpc

from . import Problem, clean

__all__ = ["DEFAULT", "Proxy", "RpcFault"]


class Proxy(SocketRpc):
    """`Proxy(path).call("authban.status")`: the result, RpcFault, or Problem when nobody answers."""

    def __init__(self, path=DEFAULT, timeout=3.0):
        super().__init__(path, timeout)

    def call(self, method, *params):
        try:
            return super().call(method, *params)
        except RpcFault as fault:
            fault.args = (clean(fault),)
            raise
        except Problem as problem:
            raise Problem(clean(problem)) from None

    def rows(self, method, *params):
        """The result as a list of dictionaries."""
        answer = self.call(method, *params)
        rows = answer if isinstance(answer, list) else [answer]
        return [row for row in rows if isinstance(row, dict)]

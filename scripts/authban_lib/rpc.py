# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls to a proxy: the datagram socket of jsonrpcs, or JSON-RPC over HTTP; or an answer that was saved."""
import contextlib
import http.client
import itertools
import json
import os
import socket
import time
import urllib.error
import urllib.request

from . import Problem

DEFAULT = "/run/kamailio/kamailio_rpc.sock"
ANSWER_MAX = 16 << 20
_DATAGRAM_MAX = 1 << 20


class RpcFault(Problem):
    """The proxy refused the call; code as it gave it."""

    def __init__(self, code, text):
        super().__init__("the proxy refuses: %s %s" % (code, text))
        self.code = code


class SocketRpc:
    """jsonrpcs's unix datagram socket (modparam dgram_socket)."""

    def __init__(self, path, timeout=5.0):
        self.path, self.timeout = path, timeout

    def call(self, method, *params):
        """The result of one call; RpcFault, or Problem when nobody answers."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, contextlib.ExitStack() as end:
            sock.settimeout(self.timeout)
            try:
                self._bind(sock, end)
                # Once connected, the kernel lets nobody but the proxy send to us.
                sock.connect(self.path)
                sock.send(_request(method, params))
                return _result(self._answer(sock))
            except OSError as error:
                raise Problem("no answer from the proxy at %s: %s" % (self.path, error)) from None

    def _bind(self, sock, end):
        """A name to answer to: beside the proxy's socket, which also works from another namespace or container."""
        name = "%s.%d.%d" % (self.path, os.getpid(), time.monotonic_ns())
        try:
            sock.bind(name)
        except OSError:
            sock.bind("")  # an abstract name that the kernel picks
            return
        end.callback(os.unlink, name)
        os.chmod(name, 0o666)  # the proxy runs as a user of its own

    @staticmethod
    def _answer(sock):
        data, _, flags, _ = sock.recvmsg(_DATAGRAM_MAX)
        if flags & socket.MSG_TRUNC:
            raise Problem("the proxy's answer is longer than %d bytes" % _DATAGRAM_MAX)
        return data


class HttpRpc:
    """JSON-RPC over HTTP (xhttp and jsonrpcs), for example http://127.0.0.1:5080/RPC."""

    def __init__(self, url, timeout=10.0):
        self.url, self.timeout = url, timeout

    def call(self, method, *params):
        """The result of one call; RpcFault, or Problem when nobody answers."""
        request = urllib.request.Request(self.url, data=_request(method, params),
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as answer:
                return _result(answer.read(ANSWER_MAX + 1))
        except urllib.error.HTTPError as error:
            # jsonrpcs gives faults an HTTP status of their own, and the JSON in the body
            return _result(error.read(ANSWER_MAX))
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise Problem("no answer from the proxy at %s: %s" % (self.url, error)) from None


def connect(place):
    """The proxy at a unix socket's path (a leading "unix:" is fine) or at an http URL."""
    if place.startswith(("http://", "https://")):
        return HttpRpc(place)
    return SocketRpc(place.removeprefix("unix:"))


def pages(proxy, method, size=40, most=1_000_000):
    """Every row of a command that takes [limit] [offset]; rows that repeat between pages are the caller's.

    40 rows of evidence stay below 200 kB, the longest datagram that Linux sends by default.
    """
    for offset in itertools.count(0, size):
        rows = as_rows(proxy.call(method, size, offset))
        yield from rows
        if len(rows) < size:
            return
        if offset + size >= most:
            raise Problem("%s has more than %d rows" % (method, most))


def as_rows(result):
    """A result as a list of structs: jsonrpcs leaves the list away around a single one."""
    if result is None or result == "":
        return []
    rows = result if isinstance(result, list) else [result]
    if not all(isinstance(row, dict) for row in rows):
        raise Problem("the answer is not a list of structs")
    return rows


def read_saved(path):
    """The rows of a saved answer: the whole JSON-RPC answer, its result, or one struct. "-": stdin."""
    try:
        with open(0 if path == "-" else path, "rb") as saved:
            data = saved.read(ANSWER_MAX + 1)
    except OSError as error:
        raise Problem("cannot read %s: %s" % (path, error.strerror)) from None
    if len(data) > ANSWER_MAX:
        raise Problem("%s is longer than %d bytes" % (path, ANSWER_MAX))
    value = _json(data, path)
    if isinstance(value, dict) and ("result" in value or "error" in value):
        value = _result(data)
    return as_rows(value)


def _request(method, params):
    request = {"jsonrpc": "2.0", "method": method, "id": 1}
    if params:
        request["params"] = list(params)
    return json.dumps(request).encode()


def _json(data, name):
    try:
        return json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise Problem("%s is not JSON" % name) from None


def _result(data):
    answer = _json(data, "the proxy's answer")
    if not isinstance(answer, dict):
        raise Problem("the proxy's answer is not JSON-RPC")
    if isinstance(answer.get("error"), dict):
        raise RpcFault(answer["error"].get("code", 0), answer["error"].get("message", ""))
    return answer.get("result")

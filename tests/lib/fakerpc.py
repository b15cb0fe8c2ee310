# SPDX-License-Identifier: GPL-2.0-or-later
"""Stands for a proxy's jsonrpcs: answers calls from a table, over its datagram socket or over HTTP."""
import http.server
import json
import socket
import threading


def answer(table, data):
    """The bytes of an answer; table: {method: rows, or a function of the parameters}, an int is a fault's code."""
    call = json.loads(data)
    found = table.get(call["method"], 500)
    if callable(found):
        found = found(*call.get("params", ()))
    elif isinstance(found, list):
        limit, offset = [*call.get("params", ()), 100, 0][:2] if call.get("params") else (100, 0)
        found = found[offset:offset + limit]
    if isinstance(found, int):
        return json.dumps({"jsonrpc": "2.0", "error": {"code": found, "message": "refused here"}, "id": 1}).encode()
    if isinstance(found, list) and len(found) == 1:
        found = found[0]  # as jsonrpcs does it
    return json.dumps({"jsonrpc": "2.0", "result": found, "id": 1}).encode()


class FakeRpc:
    """`with FakeRpc(path, {...}) as rpc:` rpc.calls: [(method, params), ...]."""

    def __init__(self, path, table):
        self.path, self.table, self.calls = path, table, []
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(path)
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self):
        while True:
            data, sender = self.sock.recvfrom(65456)
            if not data:
                return
            call = json.loads(data)
            self.calls.append((call["method"], call.get("params", [])))
            self.sock.sendto(answer(self.table, data), sender)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"", self.path)
        self.thread.join(5)
        self.sock.close()


class FakeHttp:
    """The same over HTTP: `with FakeHttp({...}) as place:` an URL; faults come with status 500, as from jsonrpcs."""

    def __init__(self, table):
        class Handler(http.server.BaseHTTPRequestHandler):
            """Answers POST from the table."""

            def do_POST(self):
                """One call."""
                data = answer(table, self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(500 if b'"error"' in data else 200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                """Nothing."""

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return "http://127.0.0.1:%d/RPC" % self.server.server_address[1]

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)

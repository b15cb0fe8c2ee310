# SPDX-License-Identifier: GPL-2.0-or-later
"""What etc/authban-page.cfg lets through, by plain HTTP: who may ask, what, and in which form."""
import json
import os
import socket
import subprocess

import pytest

from lib import ROOT
from lib.web import PAGE, Web, web_proxy, written

WRITES = [("authban.unban", "127.41.9.1"), ("authban.allow_add", "127.41.9.0/24")]


def refused(answer, status):
    assert answer[0] == status, answer
    assert "jsonrpc" not in answer[-1], answer


def test_the_page(web):
    status, headers, text = web.get("/authban/")
    with open(PAGE, encoding="utf-8") as page:
        assert (status, text) == (200, page.read())
    assert headers["Content-Type"].startswith("text/html") and headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    size = os.path.getsize(PAGE)
    print("\npage: %d bytes" % size)
    assert size < 60000
    for sign in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "http:", "src="):
        assert sign not in text.replace("http://www.w3.org/2000/svg", ""), sign


def test_the_hashes_of_the_page_are_right():
    assert subprocess.run([os.path.join(ROOT, "scripts", "page-hashes"), "--check"], check=False).returncode == 0


def test_modes(web, reader):
    assert (web.get("/authban/mode")[2], reader.get("/authban/mode")[2]) == ("write", "read")


@pytest.mark.parametrize("call", [
    ("authban.status",), ("authban.list", 100, 0), ("authban.top", 20), ("authban.networks", 10),
    ("authban.users", 10), ("cnt.grp_get_all", "authban")])
def test_reads_are_let_through(reader, call):
    status, text = reader.call(*call)
    assert status == 200 and "result" in json.loads(text)


def test_a_read_page_cannot_write(reader):
    reader.proxy.rpc("authban.ban", "127.41.9.1", 600)
    for call in WRITES:
        refused(reader.call(*call), 403)
    assert "127.41.9.1" in reader.proxy.bans() and not reader.proxy.rpc("authban.allow_list")
    reader.proxy.rpc("authban.unban", "127.41.9.1")


STATUS = written("authban.status")


@pytest.mark.parametrize("body", [
    written("core.kill"), written("authban.reset"), written("authban.ban", "192.0.2.1"), written("authban.forget", "n"),
    written("authban.erase", "192.0.2.1"), written("cfg.set_now_int", "authban", "threshold", 1),
    written("cnt.grp_get_all", "tcp"), written("authban.allow_del", "192.0.2.0/24"), "", "[]", "[%s]" % STATUS,
    STATUS.replace('"params"', '"method":"core.kill","params"'), STATUS.replace("{", '{"method":"core.kill",'),
    STATUS.replace("[]", '[{"method":"core.kill"}]'), STATUS + "\n" + written("core.kill"), STATUS + " ",
    STATUS.replace("status", "\\u0073tatus"), STATUS.replace("[]", '["a\\"b"]'), " " + STATUS,
    STATUS.replace("}", ',"method":"core.kill"}'), STATUS[:-1] + "\0}", written("authban.get", "x" * 65)])
def test_everything_else_is_refused(web, body):
    refused(web.post(body), 403)


def test_calls_of_other_pages_are_refused(web):
    ban = "127.41.9.2"
    web.proxy.rpc("authban.ban", ban, 600)
    unban = written("authban.unban", ban)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", None,
                 "text/plain; application/json"):
        refused(web.post(unban, Content_Type=kind), 415)
    for origin in ("http://evil.example", "null", "https://" + web.host, "http://127.0.0.1", "", None):
        refused(web.post(unban, Origin=origin), 403)
    # a name of the attacker's that leads here (DNS rebinding)
    for host in ("evil.example", "evil.example:%d" % web.port, "127.0.0.1.evil.example", ""):
        refused(web.post(unban, Host=host, Origin="http://" + host), 403)
    refused(web.get("/authban/rpc"), 405)
    refused(web.ask("OPTIONS", "/authban/rpc"), 405)
    refused(web.get("/authban/", headers={"Host": "evil.example"}), 403)
    assert ban in web.proxy.bans()
    status, text = web.post(unban)
    assert status == 200 and json.loads(text)["result"]["unbanned"] == 1 and ban not in web.proxy.bans()


def test_only_local_addresses(web):
    for path in ("/authban/", "/authban/mode", "/metrics"):
        assert web.get(path)[0] == 200
        refused(web.get(path, source="127.0.0.2"), 403)
    assert web.get("/")[0] == web.get("/favicon.ico")[0] == web.get("/authban/x")[0] == 404


def test_the_sip_ports_answer_no_http(web):
    with pytest.raises((TimeoutError, ConnectionError)):
        web.get("/authban/", port=web.proxy.port, timeout=0.5)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.3)
        sock.connect(web.proxy.target)
        sock.send(("POST /authban/rpc HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\n\r\n" % web.host).encode())
        with pytest.raises(TimeoutError):
            sock.recv(2000)


def test_a_long_list_arrives_whole(web):
    for host in range(1, 251):
        web.proxy.rpc("authban.ban", "127.42.1.%d" % host, 600, "a_reason_of_some_length")
    status, text = web.call("authban.list", 1000, 0)
    rows = json.loads(text)["result"]
    print("\npage: %d bans in %d bytes" % (len(rows), len(text)))
    assert status == 200 and len(rows) >= 250
    web.proxy.rpc("authban.unban", "127.42.1.0/24")


def test_without_a_file(tmp_path):
    """The message names the setting; the rest goes on."""
    proxy, port = web_proxy(False, str(tmp_path / "none"))
    with proxy:
        web = Web(proxy, port)
        status, _, text = web.get("/authban/")
        assert status == 500 and "AUTHBAN_PAGE_FILE" in text
        assert web.get("/metrics")[0] == 200

# SPDX-License-Identifier: GPL-2.0-or-later
"""SIP messages and digest answers, without sockets: used by the demo's phone and by the tests."""
import hashlib
import os
import re

_PARAMETER = re.compile(r'([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')


class Response:
    """A parsed SIP response: status, reason, header(name), body."""

    def __init__(self, data):
        head, _, self.body = data.partition(b"\r\n\r\n")
        lines = head.decode("utf-8", "replace").split("\r\n")
        self.start = lines[0]
        words = self.start.split(" ", 2)
        if len(words) < 2 or words[0] != "SIP/2.0" or not words[1].isdigit():
            raise ValueError("not a SIP response: %r" % self.start[:60])
        self.status = int(words[1])
        self.reason = words[2] if len(words) > 2 else ""
        self.headers = [(name.strip().lower(), value.strip())
                        for name, colon, value in (line.partition(":") for line in lines[1:]) if colon]

    def header(self, name):
        """The first value of a header, or None."""
        for key, value in self.headers:
            if key == name.lower():
                return value
        return None

    def challenge(self):
        """The digest challenge as a dictionary with `header` = where to answer, or None."""
        for name, answer in (("www-authenticate", "Authorization"),
                             ("proxy-authenticate", "Proxy-Authorization")):
            value = self.header(name)
            if value:
                return dict(parse_parameters(value), header=answer)
        return None


def body_size(head):
    """Content-Length of a request's or response's head (bytes); 0 when there is none."""
    found = re.search(rb"(?im)^(?:content-length|l)[ \t]*:[ \t]*(\d+)", head)
    return int(found.group(1)) if found else 0


def parse_parameters(text):
    """name=value and name="value" pairs of a digest header; names in small letters."""
    return {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(text)}


def new_token(size=8):
    return os.urandom(size).hex()


def _md5(text):
    return hashlib.md5(text.encode()).hexdigest()


def digest_response(challenge, user, password, method, uri, qop=None, nc="", cnonce=""):
    """The response of RFC 2617, with or without qop."""
    ha1 = _md5("%s:%s:%s" % (user, challenge["realm"], password))
    ha2 = _md5("%s:%s" % (method, uri))
    if qop:
        return _md5(":".join((ha1, challenge["nonce"], nc, cnonce, qop, ha2)))
    return _md5("%s:%s:%s" % (ha1, challenge["nonce"], ha2))


def credentials(challenge, user, password, method, uri, count=1, opaque=True):
    """(header name, value) that answers a challenge as a real phone does; count: how often the nonce was used."""
    qop = "auth" if "auth" in (challenge.get("qop") or "").split(",") else None
    nc, cnonce = "%08x" % count, new_token()
    parts = ['username="%s"' % user, 'realm="%s"' % challenge["realm"],
             'nonce="%s"' % challenge["nonce"], 'uri="%s"' % uri,
             'response="%s"' % digest_response(challenge, user, password, method, uri, qop, nc, cnonce),
             "algorithm=MD5"]
    if qop:
        parts += ["qop=auth", "nc=" + nc, 'cnonce="%s"' % cnonce]
    if opaque and challenge.get("opaque") is not None:
        parts.append('opaque="%s"' % challenge["opaque"])
    return challenge["header"], "Digest " + ", ".join(parts)


def malformed_credentials(challenge, user, password, method, uri):
    """What svcrack sends to a challenge without qop: qop=auth, but no nc and no cnonce."""
    name, value = credentials(dict(challenge, qop=None), user, password, method, uri)
    return name, value + ", qop=auth"


def request(method, uri, caller, callee, local, transport="UDP", call_id=None, cseq=1,
            from_tag=None, to_tag=None, headers=(), body=""):
    """Bytes of a request. caller, callee: SIP URIs; local: (host, port) for Via and Contact."""
    host, port = local
    if ":" in host:
        host = "[%s]" % host
    lines = [
        "%s %s SIP/2.0" % (method, uri),
        "Via: SIP/2.0/%s %s:%d;rport;branch=z9hG4bK%s" % (transport, host, port, new_token()),
        "Max-Forwards: 70",
        "From: <%s>;tag=%s" % (caller, from_tag or new_token(4)),
        "To: <%s>%s" % (callee, ";tag=" + to_tag if to_tag else ""),
        "Call-ID: %s" % (call_id or new_token()),
        "CSeq: %d %s" % (cseq, method),
    ]
    names = {name.lower() for name, _ in headers}
    if "contact" not in names and method in ("REGISTER", "INVITE", "SUBSCRIBE"):
        user = caller.split(":", 1)[1].split("@")[0]
        lines.append("Contact: <sip:%s@%s:%d;transport=%s>" % (user, host, port, transport.lower()))
    lines += ["%s: %s" % pair for pair in headers]
    data = body.encode()
    lines.append("Content-Length: %d" % len(data))
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data

# SPDX-License-Identifier: GPL-2.0-or-later
"""Something in the place of Redis that does not behave: see FakeRedis."""
import contextlib
import socket
import threading
import time

REPLIES = {
    "silent": None,
    "http": b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Length: 0\r\n\r\n",
    "huge-bulk": b"$999999999999\r\n" + b"x" * 4096,
    "huge-number": b"$9223372036854775807\r\n",
    "huge-list": b"*1000000000\r\n",
    "negative": b"*-2147483648\r\n$-2\r\n",
    "deep": b"*1\r\n" * 5000,
    "resp3": b"%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n",
    "zeros": b"\0" * 65536,
    "stray": b"+OK\r\n" * 20000,
    "error": b"-ERR \x1b[31mof the server\x00\r\n",
    "lists": b"*2\r\n$6\r\nmaster\r\n:0\r\n" * 500,
}


class FakeRedis:
    """`with FakeRedis("http") as fake: fake.url`: answers whatever comes with these bytes.

    step: so many bytes at a time, `pause` seconds between. Counts connections and bytes heard.
    """

    def __init__(self, reply, step=None, pause=0.0, port=0):
        self.reply = REPLIES.get(reply, reply) if isinstance(reply, str) else reply
        self.step, self.pause = step, pause
        self.connections = self.heard = 0
        self.ending = threading.Event()
        self.threads = []
        self.listener = socket.create_server(("127.0.0.1", port))
        self.listener.settimeout(0.1)
        self.port = self.listener.getsockname()[1]

    @property
    def url(self):
        return "redis://:of-the-test@127.0.0.1:%d/0" % self.port

    def _serve(self, connection):
        with connection:
            connection.settimeout(0.1)
            while not self.ending.is_set():
                try:
                    data = connection.recv(65536)
                    if not data:
                        return
                    self.heard += len(data)
                    self._answer(connection)
                except socket.timeout:
                    continue
                except OSError:
                    return

    def _answer(self, connection):
        if not self.reply:
            return
        step = self.step or len(self.reply)
        for at in range(0, len(self.reply), step):
            if self.ending.wait(self.pause) if self.pause else self.ending.is_set():
                return
            connection.sendall(self.reply[at:at + step])

    def _accept(self):
        while not self.ending.is_set():
            try:
                connection, _ = self.listener.accept()
            except socket.timeout:
                continue
            except OSError:
                return
            self.connections += 1
            self._start(self._serve, connection)

    def _start(self, target, *arguments):
        thread = threading.Thread(target=target, args=arguments)
        self.threads.append(thread)
        thread.start()

    def __enter__(self):
        self._start(self._accept)
        return self

    def __exit__(self, *_):
        self.ending.set()
        for thread in self.threads:
            thread.join(5)
        self.listener.close()


class SlowRelay(FakeRedis):
    """A real Redis whose answers arrive byte by byte: `with SlowRelay(redis) as relay: relay.url`."""

    def __init__(self, redis, password):
        super().__init__(None)
        self.server, self.password = (redis.host, redis.port), password

    @property
    def url(self):
        return "redis://:%s@127.0.0.1:%d/0" % (self.password, self.port)

    def _serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection, socket.create_connection(self.server) as upstream:
            self._start(self._forward, upstream, connection)
            for data in self._chunks(connection):
                upstream.sendall(data)

    def _forward(self, upstream, connection):
        for data in self._chunks(upstream):
            for at in range(len(data)):
                try:
                    connection.sendall(data[at:at + 1])
                except OSError:
                    return

    def _chunks(self, sock):
        sock.settimeout(0.1)
        while not self.ending.is_set():
            try:
                data = sock.recv(65536)
            except socket.timeout:
                continue
            except OSError:
                return
            if not data:
                return
            self.heard += len(data)
            yield data


class ScriptedRedis(FakeRedis):
    """Understands commands: answer(words) gives the bytes to send, None for silence, or b"" to hang up."""

    def __init__(self, answer, port=0):
        super().__init__(None, port=port)
        self.answer, self.counts, self.lock = answer, {}, threading.Lock()

    def heard_of(self, name):
        """How often a command came."""
        with self.lock:
            return self.counts.get(name, 0)

    def _serve(self, connection):
        with connection:
            try:
                connection.settimeout(0.1)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                pending = b""
                while not self.ending.is_set():
                    try:
                        data = connection.recv(65536)
                    except socket.timeout:
                        continue
                    if not data:
                        return
                    pending += data
                    words, pending = self._next(pending)
                    while words:
                        with self.lock:
                            self.counts[words[0]] = self.counts.get(words[0], 0) + 1
                        reply = self.answer(words)
                        if reply == b"":
                            return
                        if reply:
                            connection.sendall(reply)
                        words, pending = self._next(pending)
            except OSError:
                return

    @staticmethod
    def _next(data):
        """(words of the first command, the rest), or (None, data) when it is not complete."""
        at, words = data.find(b"\r\n"), []
        if at < 0:
            return None, data
        count, at = int(data[1:at]), at + 2
        for _ in range(count):
            end = data.find(b"\r\n", at)
            if end < 0:
                return None, data
            length = int(data[at + 1:end])
            if len(data) < end + 2 + length + 2:
                return None, data
            words.append(data[end + 2:end + 2 + length].decode("latin-1"))
            at = end + 2 + length + 2
        return words, data[at:]


def resp(value):
    """A reply: str and bytes are texts, None is nil, an Exception an error."""
    if isinstance(value, (list, tuple)):
        return b"*%d\r\n" % len(value) + b"".join(map(resp, value))
    if isinstance(value, bool) or value is None:
        return b"$-1\r\n"
    if isinstance(value, int):
        return b":%d\r\n" % value
    if isinstance(value, Exception):
        return b"-%s\r\n" % str(value).encode("latin-1")
    text = value if isinstance(value, bytes) else value.encode("latin-1")
    return b"$%d\r\n%s\r\n" % (len(text), text)


class FakeNode(ScriptedRedis):
    """An empty master that knows authban's commands; `special`: {command: value of resp(), or f(words) giving one}.

    Raw bytes go out as they are when they are in a `Raw`.
    """

    def __init__(self, **special):
        super().__init__(self._reply)
        self.special, self.slots, self.mark = special, None, "the-mark"
        self.serving = set()

    def _serve(self, connection):
        self.serving.add(connection)
        super()._serve(connection)
        self.serving.discard(connection)

    def hang_up(self):
        """Ends all connections, so that a change of `special` is met soon."""
        for connection in list(self.serving):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _reply(self, words):
        name = words[0]
        value = self.special.get(name, self._usual)
        value = value(words) if callable(value) else value
        return value.data if isinstance(value, Raw) else resp(value)

    def _usual(self, words):
        now = time.time()
        if words[0] == "CLUSTER":
            return self.slots or [[0, 16383, ["127.0.0.1", self.port, "id"]]]
        if words[0] == "XREAD":
            return Raw(None)
        return {"ROLE": ["master", 0, []], "TIME": [str(int(now)), str(int(now % 1 * 1e6))], "GET": self.mark,
                "HGETALL": [], "EXISTS": 0,
                "XREVRANGE": [], "HSCAN": ["0", []], "LRANGE": [], "HSET": 1, "RPUSH": 1, "EXPIRE": 1, "XADD": "1-1",
                "SET": "OK", "AUTH": "OK", "SELECT": "OK", "ASKING": "OK"}.get(words[0], Exception("ERR unknown"))

    @property
    def cluster_url(self):
        return "redis+cluster://:of-the-test@127.0.0.1:%d" % self.port


class Raw:
    """Bytes that are no well-formed reply; None: silence, b"": hang up."""

    def __init__(self, data):
        self.data = data

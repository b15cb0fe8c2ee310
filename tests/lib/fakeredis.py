# SPDX-License-Identifier: GPL-2.0-or-later
"""Something in the place of Redis that does not behave: see FakeRedis."""
import socket
import threading

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

# SPDX-License-Identifier: GPL-2.0-or-later
"""Headless Chromium, driven through its debugging pipe: Browser."""
import base64
import fcntl
import json
import os
import select
import shutil
import sys
import time

from . import SCRIPTS  # noqa: F401 (puts scripts/ on the path)
import proxies


def command():
    """Path of the browser; None: there is none."""
    return shutil.which("chromium")


# it reads descriptor 3 and writes 4
_START = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"


class PageError(Exception):
    """The page threw, or did not come to what was waited for."""


class Browser:
    """`with Browser() as browser: browser.open(url); browser.wait("document.title")`. One page, no network service."""

    def __init__(self, size=(1100, 1060)):
        self.folder = proxies.private_folder("chromium")
        self.number, self.buffer, self.session, self.events, self.process = 0, b"", None, [], None
        self.words = [command(), "--headless=new", "--remote-debugging-pipe", "--user-data-dir=" + self.folder,
                      "--no-first-run", "--disable-gpu", "--disable-extensions", "--disable-background-networking",
                      "--disable-component-update", "--disable-sync", "--no-proxy-server", "--force-color-profile=srgb",
                      "--disable-dev-shm-usage", "--disable-breakpad", "--disable-crash-reporter",
                      "--window-size=%d,%d" % size]
        if os.geteuid() == 0:
            self.words.append("--no-sandbox")  # it refuses to run as root with one

    def __enter__(self):
        self.reader, there_out = os.pipe()
        there_in, self.writer = os.pipe()
        far = [fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (there_in, there_out)]
        os.close(there_in)
        os.close(there_out)
        start = [sys.executable, "-c", _START, *map(str, far), *self.words]
        environment = dict(os.environ, HOME=self.folder, XDG_CONFIG_HOME=self.folder, XDG_CACHE_HOME=self.folder)
        try:
            with open(os.path.join(self.folder, "log"), "wb") as log:
                self.process = proxies.Process(start, "chromium", stdout=log, stderr=log, environment=environment,
                                               folder=self.folder, pass_fds=far)
        finally:
            for end in far:
                os.close(end)
        try:
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log"):
                self.call(domain + ".enable")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for end in (self.reader, self.writer):
            os.close(end)
        self.process.kill()
        proxies.remove_folder(self.folder)

    def _message(self, deadline):
        while b"\0" not in self.buffer:
            if not select.select([self.reader], [], [], max(deadline - time.monotonic(), 0))[0]:
                raise PageError("chromium does not answer")
            data = os.read(self.reader, 1 << 16)
            if not data:
                raise PageError("chromium has ended")
            self.buffer += data
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def call(self, method, timeout=20.0, **params):
        """One command of the DevTools protocol: its result. What happens meanwhile goes to self.events."""
        self.number += 1
        request = {"id": self.number, "method": method, "params": params}
        if self.session:
            request["sessionId"] = self.session
        os.write(self.writer, json.dumps(request).encode() + b"\0")
        deadline = time.monotonic() + timeout
        while True:
            message = self._message(deadline)
            if message.get("id") == self.number:
                if "error" in message:
                    raise PageError("%s: %s" % (method, message["error"]["message"]))
                return message["result"]
            self.events.append(message)

    def open(self, url):
        failed = self.call("Page.navigate", url=url).get("errorText")
        if failed:
            raise PageError(url + ": " + failed)

    def value(self, expression):
        """The value of a JavaScript expression; a promise is waited for."""
        got = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in got:
            raise PageError(str(got["exceptionDetails"].get("exception", {}).get("description", got)))
        return got["result"].get("value")

    def wait(self, expression, seconds=10.0):
        """Until an expression is true: its value. PageError with the page's text if it never is."""
        deadline, value, error = time.monotonic() + seconds, None, ""
        while time.monotonic() < deadline:
            try:
                value = self.value(expression)
                if value:
                    return value
            except PageError as thrown:  # not loaded yet, perhaps
                error = str(thrown)
            time.sleep(0.05)
        raise PageError("never true: %s %s\n%s" % (expression, error, self.value("document.body.innerText")))

    def errors(self):
        """What the page threw, and what the browser's console complained of: a list of texts."""
        self.value("0")
        found = [m["params"] for m in self.events if m.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded")]
        return [json.dumps(p)[:400] for p in found if p.get("entry", {}).get("level", "error") == "error"]

    def screenshot(self, path):
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        with open(path, "wb") as out:
            out.write(data)
        return len(data)

# SPDX-License-Identifier: GPL-2.0-or-later
"""authban-top in a terminal. Every text on it has gone through clean()."""
import curses
import time

from . import Problem, clean, view

KEYS = "q quit  up/down select  u unban  a allow  s sort"


class Screen:
    """One view of one proxy until q."""

    def __init__(self, window, proxy, seconds):
        self.window, self.proxy, self.seconds = window, proxy, seconds
        self.sort, self.selected, self.note = "ttl", None, ""
        self.shot = self.before = self.problem = None
        self.bans, self.due = [], 0.0
        curses.use_default_colors()
        try:
            curses.curs_set(0)
        except curses.error:
            pass
        window.keypad(True)

    def run(self):
        while True:
            if time.monotonic() >= self.due:
                self._ask()
            self._draw()
            self.window.timeout(max(int(1000 * (self.due - time.monotonic())), 10))
            if self._key(self.window.getch()):
                return

    def _ask(self):
        self.due = time.monotonic() + self.seconds
        try:
            shot = view.take(self.proxy, self.sort)
        except (Problem, LookupError) as problem:
            self.problem = clean(problem, 120)
            return
        self.before, self.shot, self.problem = self.shot, shot, None

    def _put(self, row, text, style=curses.A_NORMAL):
        height, width = self.window.getmaxyx()
        if 0 <= row < height and width > 1:
            # the last column stays free: a letter in the last corner is an error to curses
            self.window.addnstr(row, 0, clean(text, width - 1), width - 1, style)

    def _draw(self):
        height, width = self.window.getmaxyx()
        self.window.erase()
        if self.shot:
            lines, places, self.bans = view.frame(self.shot, self.before, width - 1, self.sort, max(height // 2 - 6, 3))
            sources = [row.get("source") for row in self.bans]
            if self.selected not in sources:
                self.selected = sources[0] if sources else None
            for row, line in enumerate(lines[:height - 2]):
                chosen = row in places and sources[row - places[0]] == self.selected
                title = line.isupper() or line.startswith(("BANS", "TOP SOURCES"))
                self._put(row, line, curses.A_REVERSE if chosen else curses.A_BOLD if title else curses.A_NORMAL)
        if self.problem:
            self._put(height - 2, "no news: " + self.problem, curses.A_BOLD)
        elif self.note:
            self._put(height - 2, self.note, curses.A_BOLD)
        self._put(height - 1, KEYS, curses.A_DIM)
        self.window.refresh()

    def _key(self, key):
        """Whether that is all."""
        if key in (ord("q"), 3):
            return True
        if key in (curses.KEY_UP, curses.KEY_DOWN, ord("k"), ord("j")):
            self._move(1 if key in (curses.KEY_DOWN, ord("j")) else -1)
        elif key == ord("s"):
            self.sort = view.SORTS[(view.SORTS.index(self.sort) + 1) % len(view.SORTS)]
            self.due = 0.0
        elif key == ord("u"):
            self._change("unban", "authban.unban")
        elif key == ord("a"):
            self._change("allow on every proxy", "authban.allow_add")
        elif key in (12, curses.KEY_RESIZE):
            self.window.clear()
        return False

    def _move(self, step):
        sources = [row.get("source") for row in self.bans]
        if self.selected in sources:
            self.selected = sources[max(0, min(len(sources) - 1, sources.index(self.selected) + step))]

    def _change(self, word, method):
        """Asks first; anything but y is a no."""
        source = self.selected
        if source is None:
            self.note = "no ban is selected"
            return
        height = self.window.getmaxyx()[0]
        self._put(height - 2, ("%s %s? y/n" % (word, clean(source, 48))).ljust(80), curses.A_REVERSE)
        self.window.refresh()
        self.window.timeout(-1)
        if self.window.getch() not in (ord("y"), ord("Y")):
            self.note = "nothing was changed"
            return
        try:
            self.proxy.call(method, source)
            self.note = "done: %s %s" % (word, clean(source, 48))
        except Problem as problem:
            self.note = "refused: " + clean(problem, 100)
        self.due = 0.0


def show(proxy, seconds):
    """Until the operator has seen enough."""
    curses.wrapper(lambda window: Screen(window, proxy, seconds).run())

# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads a kamailio.cfg as far as a look at its settings needs: defines, includes, loadmodule, modparam."""
import os
import re

from . import Problem, clean

_DIRECTIVE = re.compile(r"^[#!]!(\w+)(?:[ \t]+(.*))?$")
_INCLUDE = re.compile(r'^\s*(?:[#!]!)?(include_file|import_file)\s+"([^"]+)"')
_STATEMENT = re.compile(r'^\s*(loadmodule|loadmodulex|modparamx?|loadpath|mpath)\b\s*\(?\s*(.*)$')
_TEXT = re.compile(r'\s*"((?:[^"\\]|\\.)*)"\s*(,|$|\))')
_DEPTH_MAX = 8


class Config:
    """`Config(path, defines={"NAME": "value"})`: .modules, .param(module, name), .text (comments left out)."""

    def __init__(self, path, defines=()):
        self.defines, self.modules, self.paths = dict(defines), [], []
        self.params, self.lines, self.unread = {}, [], []
        self._read(path, 0)
        self.text = "\n".join(self.lines)

    def _read(self, path, depth):
        if depth > _DEPTH_MAX:
            raise Problem("%s: files include each other without an end" % clean(path))
        try:
            with open(path, encoding="utf-8", errors="replace") as text:
                lines = text.read().replace("\\\n", " ").splitlines()
        except OSError as error:
            raise Problem("cannot read %s: %s" % (clean(path), error.strerror)) from None
        live = [True]
        for line in _without_comments(lines):
            found = _DIRECTIVE.match(line.strip())
            if found and found.group(1) not in ("include_file", "import_file"):
                self._directive(found.group(1), (found.group(2) or "").strip(), live)
            elif all(live):
                self._line(line, path, depth)

    def _directive(self, word, rest, live):
        name, _, value = rest.partition(" ")
        if word in ("ifdef", "ifndef"):
            live.append((name in self.defines) == (word == "ifdef"))
        elif word == "ifexp":
            live.append(True)
        elif word == "else" and len(live) > 1:
            live[-1] = not live[-1]
        elif word == "endif" and len(live) > 1:
            live.pop()
        elif all(live) and (word in ("define", "redefine") or (word == "trydef" and name not in self.defines)):
            self.defines[name] = value.strip()

    def _line(self, line, path, depth):
        found = _INCLUDE.match(line)
        if found:
            other = os.path.join(os.path.dirname(path), found.group(2))
            if found.group(1) == "include_file" or os.path.exists(other):
                self._read(other, depth + 1)
            return
        line = self._substituted(line)
        self.lines.append(line)
        found = _STATEMENT.match(line)
        if found:
            self._statement(found.group(1), found.group(2))

    def _substituted(self, line):
        """Defined words outside of texts are replaced, as Kamailio does."""
        parts = re.split(r'("(?:[^"\\]|\\.)*")', line)
        for _ in range(4):
            parts = [part if part.startswith('"') else
                     re.sub(r"\b[A-Za-z_]\w*\b", lambda word: self.defines.get(word.group(0)) or word.group(0), part)
                     for part in parts]
            again = re.split(r'("(?:[^"\\]|\\.)*")', "".join(parts))
            if again == parts:
                break
            parts = again
        return "".join(parts)

    def _statement(self, word, rest):
        values = _arguments(rest)
        if word in ("loadmodule", "loadmodulex") and values:
            self.modules.append(values[0])
        elif word in ("loadpath", "mpath") and values:
            self.paths = values[0].split(":")
        elif word.startswith("modparam") and len(values) == 3:
            for module in values[0].split("|"):
                self.params[module.strip(), values[1]] = values[2]

    def param(self, module, name, default=""):
        return self.params.get((module, name), default)

    def number(self, module, name, default):
        try:
            return int(self.param(module, name, default))
        except ValueError:
            return default

    def loads(self, name):
        """Whether a module is loaded, however its file is named."""
        return self.module(name) is not None

    def module(self, name):
        """The module as the configuration names it, or None."""
        for one in self.modules:
            if os.path.basename(one) in (name, name + ".so"):
                return one
        return None

    def calls(self, function):
        """Whether the script calls a function."""
        return re.search(r"\b%s\s*\(" % re.escape(function), self.text) is not None


def _arguments(rest):
    """Values of "a", "b", 3 behind a statement, texts without their quotes."""
    values = []
    while rest.strip():
        found = _TEXT.match(rest)
        if found:
            values.append(found.group(1))
            rest = rest[found.end():] if found.group(2) == "," else ""
            continue
        value, comma, rest = rest.partition(",")
        values.append(value.strip().rstrip(")").strip())
        if not comma:
            break
    return values


def _without_comments(lines):
    """Lines without # comments and /* */; directives (#!word) stay."""
    inside = False
    for line in lines:
        out, at, quoted = "", 0, False
        if not inside and _DIRECTIVE.match(line.strip()):
            yield line
            continue
        while at < len(line):
            if inside:
                end = line.find("*/", at)
                inside, at = end < 0, len(line) if end < 0 else end + 2
            elif quoted:
                width = 2 if line[at] == "\\" else 1
                quoted = line[at] != '"'
                out += line[at:at + width]
                at += width
            elif line.startswith("/*", at):
                inside, at = True, at + 2
            elif line[at] == "#" or (line.startswith("//", at) and line[at - 1:at] != ":"):
                break
            else:
                quoted = line[at] == '"'
                out += line[at]
                at += 1
        yield out

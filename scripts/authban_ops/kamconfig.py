# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads a kamailio.cfg as far as a look at its settings needs: defines, includes, loadmodule, modparam."""
import os
import re

from . import Problem, clean
from .cfgwords import arguments, condition, substitution, without_comments

_DIRECTIVE = re.compile(r"^[#!]!(\w+)(?:[ \t]+(.*))?$")
_INCLUDE = re.compile(r'^\s*(?:[#!]!)?(include_file|import_file)\s+"([^"]+)"')
_STATEMENT = re.compile(r'^\s*(loadmodule|loadmodulex|modparamx?|loadpath|mpath)\b\s*\(?\s*(.*)$')
_DEPTH_MAX = 8
_STATEMENT_MAX = 10000  # characters


class Config:
    """`Config(path, defines={"NAME": "value"})`: .modules, .param(module, name), .text (comments left out)."""

    def __init__(self, path, defines=()):
        self.defines, self.modules, self.paths = dict(defines), [], []
        self.params, self.lines = {}, []
        self.substitutions, self.unclear, self.pending = [], [], ""
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
        for line in without_comments(lines):
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
            live.append(self._condition(rest))
        elif word == "else" and len(live) > 1:
            live[-1] = not live[-1]
        elif word == "endif" and len(live) > 1:
            live.pop()
        elif all(live):
            self._definition(word, rest, name, value.strip())

    def _definition(self, word, rest, name, value):
        if word in ("define", "redefine", "def", "redef") or (word in ("trydef", "trydefine") and name not in self.defines):
            self.defines[name] = value
        elif word in ("subst", "substdef", "substdefs"):
            found = substitution(rest)
            if found is None:
                self.unclear.append("%s %s" % (word, rest))
                return
            self.substitutions.append(found)
            if word != "subst":
                self.defines[found[0]] = '"%s"' % found[1] if word == "substdefs" else found[1]
        elif word in ("defenv", "defenvs", "trydefenv", "trydefenvs"):
            # NAME, or NAME=VARIABLE of the environment; ours may be another one than Kamailio's
            name, _, variable = rest.partition("=")
            if os.environ.get(variable or name) is not None:
                value = os.environ[variable or name]
                self.defines[name] = '"%s"' % value if word.endswith("s") else value
            elif not word.startswith("try"):
                self.unclear.append("%s %s" % (word, rest))

    def _condition(self, rest):
        """What cannot be computed is taken for true, and told of."""
        value = condition(rest, self.defines)
        if value is None:
            self.unclear.append("ifexp " + rest)
        return value is not False

    def _line(self, line, path, depth):
        found = _INCLUDE.match(line)
        if found:
            other = os.path.join(os.path.dirname(path), found.group(2))
            if found.group(1) == "include_file" or os.path.exists(other):
                self._read(other, depth + 1)
            return
        line = self._substituted(line)
        self.lines.append(line)
        # a statement may go on on the next line
        text = self.pending + " " + line if self.pending else line
        found = _STATEMENT.match(text)
        goes_on = found and "(" in text and not text.rstrip().rstrip(";").endswith(")")
        self.pending = text if goes_on and len(text) < _STATEMENT_MAX else ""
        if found and not self.pending:
            self._statement(found.group(1), found.group(2))

    def _substituted(self, line):
        """Defined words outside of texts are replaced, and substitutions made inside of them, as Kamailio does."""
        parts = re.split(r'("(?:[^"\\]|\\.)*")', line)
        for _ in range(4):
            parts = [part if part.startswith('"') else
                     re.sub(r"\b[A-Za-z_]\w*\b", lambda word: self.defines.get(word.group(0)) or word.group(0), part)
                     for part in parts]
            again = re.split(r'("(?:[^"\\]|\\.)*")', "".join(parts))
            if again == parts:
                break
            parts = again
        for pattern, text, count in self.substitutions:
            parts = [re.sub(pattern, lambda _, text=text: text, part, count=count) if part.startswith('"') else part
                     for part in parts]
        return "".join(parts)

    def _statement(self, word, rest):
        values = arguments(rest)
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

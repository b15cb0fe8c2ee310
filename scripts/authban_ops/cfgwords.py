# SPDX-License-Identifier: GPL-2.0-or-later
"""Words of a kamailio.cfg: comments, arguments of a statement, conditions and substitutions of the preprocessor."""
import ast
import re

_DIRECTIVE = re.compile(r"^[#!]!(\w+)(?:[ \t]+(.*))?$")
_TEXT = r'"((?:[^"\\]|\\.)*)"'
_TEXTS = re.compile(r'\s*((?:"(?:[^"\\]|\\.)*"\s*)+)(,|$|\))')
_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|\'[^\']*\'|\d+|[A-Za-z_]\w*|&&|\|\||[=!<>]=|=~|[<>!()+*/%-])')
_WORDS = {"&&": "and", "||": "or", "!": "not"}
_ALLOWED = (ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.Compare, ast.Eq, ast.NotEq,
            ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Constant)


def arguments(rest):
    """Values of "a", "b", 3 behind a statement, texts without their quotes."""
    values = []
    while rest.strip():
        found = _TEXTS.match(rest)
        if found:
            # texts beside each other are one
            values.append("".join(re.findall(_TEXT, found.group(1))))
            rest = rest[found.end():] if found.group(2) == "," else ""
            continue
        value, comma, rest = rest.partition(",")
        values.append(value.strip().rstrip(")").strip())
        if not comma:
            break
    return values


def without_comments(lines):
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


def substitution(text):
    """(pattern, replacement, count) of "/ID/replacement/flags", the separator being any character; None: it is none."""
    text = text.strip()
    if text.startswith('"') and text.endswith('"'):
        text = text[1:-1]
    parts = re.split(r"(?<!\\)" + re.escape(text[:1]), text[1:]) if text else []
    if len(parts) != 3 or not parts[0]:
        return None
    try:
        pattern = re.compile(parts[0], re.I if "i" in parts[2] else 0).pattern
    except re.error:
        return None
    return pattern, parts[1], 0 if "g" in parts[2] else 1


def condition(text, defines):
    """The value of an expression of #!ifexp; None: it cannot be computed here."""
    words, at = [], 0
    text = text.strip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found or found.group(1) in ("=~", "/", "%"):
            return None
        at = found.end()
        words.append(_python(found.group(1), defines))
    try:
        tree = ast.parse(" ".join(words), mode="eval")
        if not all(isinstance(node, _ALLOWED) for node in ast.walk(tree)):
            return None
        return bool(eval(compile(tree, "ifexp", "eval"), {"__builtins__": {}}))  # constants and operators only
    except (SyntaxError, TypeError, ValueError, MemoryError, RecursionError):
        return None


def _python(word, defines):
    if word in _WORDS:
        return _WORDS[word]
    if not re.match(r"[A-Za-z_]", word):
        return word
    value = defines.get(word)
    if value is None:
        return "0"
    value = value.strip('"')
    return value if re.fullmatch(r"-?\d+", value) else repr(value or 1)

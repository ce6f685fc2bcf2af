"""Which rows are meant: a small language of conditions over a row's columns, in which every answer is exact.

    condition   comparisons joined by AND, OR and NOT, with brackets
    comparison  = <> != < <= > >=, [NOT] IN (…), [NOT] BETWEEN … AND …, [NOT] LIKE '…', IS [NOT] NULL
    operands    columns (`id` may stand in back quotes), numbers, 'texts' ('' is a quote inside), TRUE, FALSE

Whatever a null is compared with, nobody knows the answer, as in SQL; a row is meant where the answer is yes. Numbers
are compared by their value, texts letter by letter, as no collation would: case and spaces at the end count. A day is
written '2026-01-31', a moment '2026-01-31 12:00:00.5', in UTC where a column's moments have a place in time and none is
written ('… +08:00'). All else, functions and arithmetic too, is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

MOST_CHARACTERS = 10_000
MOST_DEPTH = 50
MOST_DIGITS = 60
"""As many as a source compares exactly."""

MOST_EXPONENT = 400
"""Beyond it there is no floating-point number."""

Literal: TypeAlias = Decimal | str | bool


@dataclass(frozen=True, slots=True)
class Field:
    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    value: Literal


@dataclass(frozen=True, slots=True)
class Compare:
    """`sign`: one of = <> < <= > >=."""

    sign: str
    left: Field | Constant
    right: Field | Constant


@dataclass(frozen=True, slots=True)
class Like:
    """`pattern`: its pieces, texts as they are; ANY and ONE stand between them."""

    field: Field
    pattern: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IsNull:
    field: Field


@dataclass(frozen=True, slots=True)
class Not:
    part: Node


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple[Node, ...]


Node: TypeAlias = Compare | Like | IsNull | Not | And | Or

ANY, ONE = "\0%", "\0_"
"""In a pattern: any number of characters, and exactly one."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition as it was written, and what it says."""

    text: str
    tree: Node


def parse(text: str) -> Condition:
    """ValueError that names what is not understood, and where."""
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"a condition of more than {MOST_CHARACTERS} characters is not served")
    parser = _Parser(list(_tokens(text)))
    tree = parser.either(0)
    if parser.here.kind != "end":
        raise parser.unexpected("AND, OR or the end")
    return Condition(text, tree)


_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)|(?P<text>'(?:[^']|'')*')|(?P<quoted>`(?:[^`]|``)+`)"
    r"|(?P<word>[^\W\d][\w$]*)|(?P<sign><>|!=|<=|>=|=|<|>)|(?P<mark>[(),+-]))"
)
_WORDS = frozenset({"AND", "OR", "NOT", "IN", "IS", "NULL", "LIKE", "BETWEEN", "TRUE", "FALSE"})


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if found is None:
            rest = text[at:].lstrip()
            raise ValueError(f"{rest[:20]!r} at character {len(text) - len(rest) + 1} is not understood")
        kind = str(found.lastgroup)
        word, start = found[kind], found.start(kind) + 1
        if kind == "word" and word.upper() in _WORDS:
            kind, word = "mark", word.upper()
        yield _Token(kind, word, start)
        at = found.end()
    yield _Token("end", "", len(text) + 1)


class _Parser:
    def __init__(self, tokens: Sequence[_Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def here(self) -> _Token:
        return self._tokens[self._at]

    def unexpected(self, wanted: str) -> ValueError:
        here = self.here
        if here.kind == "mark" and here.text == "(" and self._at and self._tokens[self._at - 1].kind == "word":
            return ValueError(f"functions are not served: {self._tokens[self._at - 1].text}(…)")
        found = repr(here.text) if here.text else "the end"
        return ValueError(f"{found} at character {here.at} is not understood: {wanted} should stand there")

    def either(self, depth: int) -> Node:
        return self._joined("OR", lambda: self._joined("AND", lambda: self._denied(depth), And), Or)

    def _joined(self, word: str, part: Callable[[], Node], of: type[And] | type[Or]) -> Node:
        parts = [part()]
        while self._took(word):
            parts.append(part())
        return of(tuple(parts)) if len(parts) > 1 else parts[0]

    def _denied(self, depth: int) -> Node:
        if depth > MOST_DEPTH:
            raise ValueError(f"more than {MOST_DEPTH} conditions inside each other are not served")
        if self._took("NOT"):
            return Not(self._denied(depth + 1))
        if self._took("("):
            found = self.either(depth + 1)
            self._require(")")
            return found
        return self._comparison()

    def _comparison(self) -> Node:
        left = self._operand()
        if self._took("IS"):
            denied = self._took("NOT")
            self._require("NULL")
            return self._unless(denied, IsNull(self._column(left, "IS NULL")))
        if self.here.kind == "sign":
            sign = self._next().text
            return Compare("<>" if sign == "!=" else sign, left, self._operand())
        denied = self._took("NOT")
        if self._took("IN"):
            return self._unless(denied, self._among(left))
        if self._took("BETWEEN"):
            low = self._operand()
            self._require("AND")
            return self._unless(denied, And((Compare(">=", left, low), Compare("<=", left, self._operand()))))
        if self._took("LIKE"):
            return self._unless(denied, Like(self._column(left, "LIKE"), self._pattern()))
        raise self.unexpected("a comparison")

    def _among(self, left: Field | Constant) -> Node:
        self._require("(")
        parts = [Compare("=", left, self._constant())]
        while self._took(","):
            parts.append(Compare("=", left, self._constant()))
        self._require(")")
        return Or(tuple(parts)) if len(parts) > 1 else parts[0]

    def _operand(self) -> Field | Constant:
        here = self.here
        if here.kind in ("word", "quoted"):
            self._next()
            if self.here.text == "(":
                raise self.unexpected("a comparison")
            return Field(here.text if here.kind == "word" else here.text[1:-1].replace("``", "`"))
        return self._constant()

    def _constant(self) -> Constant:
        if self._took("NULL"):
            raise ValueError("what is compared with NULL is never true: write IS NULL")
        for word, value in (("TRUE", True), ("FALSE", False)):
            if self._took(word):
                return Constant(value)
        if self.here.kind == "text":
            return Constant(self._text(self._next()))
        negative = not self._took("+") and self._took("-")
        if self.here.kind != "number":
            raise self.unexpected("a column or a value")
        number = Decimal(self._next().text)
        if len(number.as_tuple().digits) > MOST_DIGITS or abs(number.adjusted()) > MOST_EXPONENT:
            raise ValueError(f"numbers of more than {MOST_DIGITS} digits are not served")
        return Constant(number.copy_negate() if negative else number)  # a product would be rounded

    def _text(self, token: _Token, escapes: bool = False) -> str:
        found = token.text[1:-1].replace("''", "'")
        if "\0" in found or ("\\" in found and not escapes):
            raise ValueError(
                f"the text at character {token.at} has a backslash or a zero in it, of which databases make "
                "different things: it is not served"
            )
        return found

    def _pattern(self) -> tuple[str, ...]:
        token = self.here
        if token.kind != "text":
            raise self.unexpected("a text")
        found = self._text(self._next(), escapes=True)
        if re.search(r"\\(?![%_])", found):
            raise ValueError(f"the pattern at character {token.at} may have a backslash before % and _ alone")
        pieces = re.split(r"(?<!\\)([%_])", found)
        marks = {"%": ANY, "_": ONE}
        return tuple(marks.get(piece, piece.replace("\\", "")) for piece in pieces if piece)

    def _column(self, found: Field | Constant, what: str) -> Field:
        if not isinstance(found, Field):
            raise ValueError(f"{what} is asked of columns alone")
        return found

    def _unless(self, denied: bool, node: Node) -> Node:
        return Not(node) if denied else node

    def _took(self, word: str) -> bool:
        took = self.here.kind == "mark" and self.here.text == word
        if took:
            self._at += 1
        return took

    def _require(self, word: str) -> None:
        if not self._took(word):
            raise self.unexpected(word)

    def _next(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]

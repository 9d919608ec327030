"""The grammar of the SOQL we read: SELECT, FROM, WHERE, ORDER BY, LIMIT, OFFSET. Text in, tree out."""

import re
from typing import Any, Literal

import msgspec

from comity.sandbox.salesforce.errors import refuse, refuse_unknown

QUERY_CHARACTERS_MAX = 100_000
DEPTH_MAX = 50

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
    | (?P<date>\d{4}-\d\d-\d\d)
    | (?P<number>[+-]?\d+(?:\.\d+)?)
    | (?P<text>'(?:[^'\\]|\\.)*')
    | (?P<name>[A-Za-z_][A-Za-z0-9_.]*(?::\d+)?)
    | (?P<sign><=|>=|!=|<>|[=<>(),])
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_REFUSED = {"group": "GROUP BY", "having": "HAVING", "with": "WITH", "for": "FOR", "typeof": "TYPEOF", "using": "USING"}
_COMPARISONS = {"=", "!=", "<>", "<", "<=", ">", ">="}

LiteralKind = Literal["text", "number", "datetime", "date", "boolean", "null", "range"]


class Constant(msgspec.Struct, frozen=True):
    """A literal of the query."""

    kind: LiteralKind
    value: Any


class Comparison(msgspec.Struct, frozen=True):
    """field operator literal, or field IN (literals)."""

    field: str
    operator: str
    constants: tuple[Constant, ...]


class Not(msgspec.Struct, frozen=True):
    """NOT condition."""

    part: "Condition"


class Group(msgspec.Struct, frozen=True):
    """Conditions joined by AND or by OR."""

    word: Literal["and", "or"]
    parts: "tuple[Condition, ...]"


Condition = Comparison | Not | Group


class Ordering(msgspec.Struct, frozen=True):
    """One ORDER BY term."""

    field: str
    is_descending: bool
    has_nulls_last: bool


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed query."""

    fields: tuple[str, ...]
    is_count: bool
    object: str
    where: Condition | None
    order: tuple[Ordering, ...]
    limit: int | None
    offset: int


class _Token(msgspec.Struct, frozen=True):
    kind: str
    text: str
    place: int


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokenise(text)
        self.at = 0

    def parse(self) -> Query:
        self.expect("select")
        fields, is_count = self.select_list()
        self.expect("from")
        name = self.take("name").text
        where = self.condition(0) if self.accept("where") else None
        order = self.orderings() if self.accept("order") else ()
        limit = self.count() if self.accept("limit") else None
        offset = self.count() if self.accept("offset") else 0
        token = self.peek()
        if token.kind != "end":
            if token.text.lower() in _REFUSED:
                raise refuse_unknown(f"SOQL {_REFUSED[token.text.lower()]}")
            raise self.malformed()
        return Query(
            fields=fields, is_count=is_count, object=name, where=where, order=order, limit=limit, offset=offset
        )

    def select_list(self) -> tuple[tuple[str, ...], bool]:
        fields: list[str] = []
        while True:
            if self.peek().text == "(":
                raise refuse_unknown("SOQL sub-queries")
            token = self.take("name")
            if self.peek().text == "(":
                return self.function_select(token.text.lower(), fields), token.text.lower() == "count"
            if token.text.lower() in _REFUSED:
                raise refuse_unknown(f"SOQL {_REFUSED[token.text.lower()]}")
            if "." in token.text:
                raise refuse_unknown(f"SOQL relationship fields such as {token.text}")
            fields.append(token.text)
            if not self.accept(","):
                return tuple(fields), False

    def function_select(self, name: str, before: list[str]) -> tuple[str, ...]:
        self.expect("(")
        if name == "count" and not before and self.accept(")"):
            return ()
        if name == "fields" and not before:
            scope = self.take("name").text.upper()
            self.expect(")")
            return (f"FIELDS({scope})",)
        raise refuse_unknown(f"the SOQL function {name}()")

    def condition(self, depth: int) -> Condition:
        if depth > DEPTH_MAX:
            raise refuse(400, "MALFORMED_QUERY", "The WHERE clause is nested too deeply")
        parts = [self.term(depth)]
        word = self.peek().text.lower()
        if word not in {"and", "or"}:
            return parts[0]
        while self.accept(word):
            parts.append(self.term(depth))
        if self.peek().text.lower() in {"and", "or"}:
            # SOQL has no precedence between AND and OR: mixing them needs parentheses.
            raise self.malformed()
        return Group("and" if word == "and" else "or", tuple(parts))

    def term(self, depth: int) -> Condition:
        if self.accept("not"):
            return Not(self.term(depth + 1))
        if self.accept("("):
            inner = self.condition(depth + 1)
            self.expect(")")
            return inner
        return self.comparison()

    def comparison(self) -> Comparison:
        field = self.take("name").text
        if self.peek().text == "(":
            raise refuse_unknown(f"the SOQL function {field}()")
        if "." in field:
            raise refuse_unknown(f"SOQL relationship fields such as {field}")
        token = self.next()
        word = token.text.lower()
        if word in _COMPARISONS:
            return Comparison(field, "!=" if word == "<>" else word, (self.constant(),))
        if word == "like":
            return Comparison(field, "like", (self.constant(),))
        if word in {"includes", "excludes"}:
            raise refuse_unknown(f"SOQL {word.upper()}")
        if word == "not":
            self.expect("in")
            return Comparison(field, "not in", self.constants())
        if word == "in":
            return Comparison(field, "in", self.constants())
        self.at -= 1
        raise self.malformed()

    def constants(self) -> tuple[Constant, ...]:
        self.expect("(")
        if self.peek().text.lower() == "select":
            raise refuse_unknown("SOQL semi-joins")
        found = [self.constant()]
        while self.accept(","):
            found.append(self.constant())
        self.expect(")")
        return tuple(found)

    def constant(self) -> Constant:
        token = self.next()
        if token.kind == "text":
            return Constant("text", _ESCAPE.sub(lambda match: _ESCAPES.get(match[1], match[1]), token.text[1:-1]))
        if token.kind == "number":
            return Constant("number", float(token.text))
        if token.kind in {"datetime", "date"}:
            return Constant("datetime" if token.kind == "datetime" else "date", token.text)
        word = token.text.lower()
        if word in {"true", "false"}:
            return Constant("boolean", word == "true")
        if word == "null":
            return Constant("null", None)
        if token.kind == "name" and re.fullmatch(r"today|yesterday|tomorrow|(last|next)_n_days:\d{1,4}", word):
            return Constant("range", word)
        if token.kind == "name" and word.isidentifier():
            raise refuse_unknown(f"the SOQL value {token.text}")
        self.at -= 1
        raise self.malformed()

    def orderings(self) -> tuple[Ordering, ...]:
        self.expect("by")
        found: list[Ordering] = []
        while True:
            field = self.take("name").text
            is_descending = not self.accept("asc") and self.accept("desc")
            has_nulls_last = False
            if self.accept("nulls"):
                has_nulls_last = self.accept("last")
                if not has_nulls_last:
                    self.expect("first")
            found.append(Ordering(field, is_descending, has_nulls_last))
            if not self.accept(","):
                return tuple(found)

    def count(self) -> int:
        if not self.peek().text.isdecimal():
            raise self.malformed()
        return int(self.next().text)

    def peek(self) -> _Token:
        return self.tokens[self.at]

    def next(self) -> _Token:
        token = self.tokens[self.at]
        if token.kind == "end":
            raise self.malformed()
        self.at += 1
        return token

    def take(self, kind: str) -> _Token:
        if self.peek().kind != kind:
            raise self.malformed()
        return self.next()

    def accept(self, word: str) -> bool:
        token = self.peek()
        if token.kind in {"name", "sign"} and token.text.lower() == word:
            self.at += 1
            return True
        return False

    def expect(self, word: str) -> None:
        if not self.accept(word):
            raise self.malformed()

    def malformed(self) -> Exception:
        token = self.peek()
        return _malformed(self.text, token.place, token.text or "<EOF>")


def parse(text: str) -> Query:
    """Parse a query. Raises the vendor's MALFORMED_QUERY, or 501 for SOQL that this simulator does not know."""
    if len(text) > QUERY_CHARACTERS_MAX:
        raise refuse(
            400, "QUERY_TOO_COMPLICATED", f"SOQL statements cannot be longer than {QUERY_CHARACTERS_MAX} characters."
        )
    return _Parser(text).parse()


def _tokenise(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    place = 0
    end = len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None:
            bad = text[place:].lstrip()[:1]
            raise _malformed(text, place, bad)
        kind = match.lastgroup or ""
        tokens.append(_Token(kind, match[kind], match.start(kind)))
        place = match.end()
    tokens.append(_Token("end", "", end))
    return tokens


def _malformed(text: str, place: int, found: str) -> Exception:
    row = text.count("\n", 0, place) + 1
    column = place - (text.rfind("\n", 0, place) + 1) + 1
    excerpt = text[max(0, place - 20) : place + 20]
    message = (
        f"\n{excerpt}\n{'^':>{min(place, 20) + 1}}\nERROR at Row:{row}:Column:{column}\nunexpected token: '{found}'"
    )
    return refuse(400, "MALFORMED_QUERY", message)

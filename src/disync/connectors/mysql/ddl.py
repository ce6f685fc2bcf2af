"""What a statement in the log does to tables: only as much as must be known to read the schema again.

No grammar of SQL is followed to the end. Names are found by the first words of a statement; what has changed is told by
comparing what the server described before with what it describes now.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from disync.connectors.mysql.schema import Name
from disync.model.data import Column, Table
from disync.model.types import Kind

_TOKEN = re.compile(
    r"(?P<comment>/\*(?![!M]).*?\*/|--[ \t\r\n].*?(?:\n|$)|--$|#.*?(?:\n|$)|/\*M?!\d*|\*/)"
    r"|(?P<quoted>`(?:[^`]|``)+`)"
    r"|(?P<string>'(?:[^'\\]|''|\\.)*'|\"(?:[^\"\\]|\"\"|\\.)*\")"
    r"|(?P<word>[^\s`'\"(),;.=/#*-]+)|(?P<mark>[(),;.=/#*-])",
    re.DOTALL,
)

_NOISE = frozenset(
    {
        "TEMPORARY",
        "IF",
        "NOT",
        "EXISTS",
        "ONLINE",
        "OFFLINE",
        "IGNORE",
        "OR",
        "REPLACE",
        "WAIT",
        "NOWAIT",
        "LOW_PRIORITY",
    }
)
_DML = frozenset({"INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD"})


@dataclass(frozen=True, slots=True)
class Statement:
    """`verb` is one of ALTER, CREATE, DROP, RENAME, TRUNCATE (of tables), DML, or "" for all else.

    `tables`: those it names as its objects. `renames`: (old, new) of tables. `words`: all of it, upper case, with
    identifiers unquoted; `written`: the same as it was. `refilled`: tables whose rows it puts, takes or exchanges as
    whole partitions or files, so that none of them is in the log. `emptied`: a database of which it drops every table,
    without a word about any; `of_database` names them.
    """

    verb: str
    tables: tuple[Name, ...] = ()
    renames: tuple[tuple[Name, Name], ...] = ()
    words: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    refilled: tuple[Name, ...] = ()
    emptied: str = ""

    def of_database(self, known: Iterable[Name]) -> Statement:
        """With the tables of the database that it drops, of those that are known."""
        if not self.emptied:
            return self
        return replace(self, verb="DROP", tables=tuple(sorted(name for name in known if name[0] == self.emptied)))


def parse(text: str, database: str, folded: bool = False) -> Statement:
    """What a QUERY event says; `database` is the one that names without one belong to. `folded`: the server keeps names
    in lower case, and takes them in any."""
    tokens = _tokens(text)
    found = replace(_parsed(tokens, database), written=tuple(tokens))
    return _folded(found) if folded else found


def _folded(found: Statement) -> Statement:
    def low(name: Name) -> Name:
        return name[0].lower(), name[1].lower()

    return replace(
        found,
        tables=tuple(map(low, found.tables)),
        renames=tuple((low(old), low(new)) for old, new in found.renames),
        refilled=tuple(map(low, found.refilled)),
        emptied=found.emptied.lower(),
    )


def _parsed(tokens: Sequence[str], database: str) -> Statement:
    words = tuple(token.upper() for token in tokens)
    if not words:
        return Statement("")
    verb = words[0]
    if verb in _DML:
        return Statement("DML", tuple(_mentioned(tokens, database)), (), words)
    if verb == "TRUNCATE":
        at = 2 if words[1:2] == ("TABLE",) else 1
        return Statement(verb, tuple(_list(tokens, at, database)), (), words)
    if verb not in ("ALTER", "CREATE", "DROP", "RENAME"):
        return Statement("", (), (), words)
    if emptied := _emptied(tokens, words):
        return Statement("", (), (), words, emptied=emptied)
    at = next((i for i, word in enumerate(words[:8]) if word in ("TABLE", "TABLES")), 0)
    if not at or "TEMPORARY" in words[1:at] or any(word not in _NOISE for word in words[1:at]):
        return Statement("", (), (), words)
    return _table_statement(verb, tokens, at + 1, database)


def _emptied(tokens: Sequence[str], words: Sequence[str]) -> str:
    """The database of DROP DATABASE, or of MariaDB's CREATE OR REPLACE DATABASE; "" where it is neither."""
    at = 1 if words[0] == "DROP" else 3 if words[:3] == ("CREATE", "OR", "REPLACE") else len(words)
    if words[at : at + 1] not in (("DATABASE",), ("SCHEMA",)):
        return ""
    at += 3 if words[at + 1 : at + 3] == ("IF", "EXISTS") else 1
    return tokens[at] if at < len(tokens) else ""


def _table_statement(verb: str, tokens: Sequence[str], at: int, database: str) -> Statement:
    words = tuple(token.upper() for token in tokens)
    if verb == "RENAME":
        pairs = tuple(_pairs(tokens, at, database))
        return Statement(verb, tuple(name for pair in pairs for name in pair), pairs, words)
    if verb == "DROP":
        return Statement(verb, tuple(_list(tokens, at, database)), (), words)
    name, at = _name(tokens, _past_noise(words, at), database)
    if verb != "ALTER":
        return Statement(verb, (name,), (), words)
    renames = tuple(_renamed(tokens, at, name, database))
    refilled = tuple(_refilled(tokens, at, name, database))
    tables = dict.fromkeys((name, *(new for _, new in renames), *refilled))
    return Statement(verb, tuple(tables), renames, words, refilled=refilled)


def _tokens(text: str) -> list[str]:
    """Words, quoted names without their quotes, and marks; strings are one token that begins with a quote."""
    found = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "quoted":
            found.append(match[0][1:-1].replace("``", "`"))
        elif kind != "comment":
            found.append(match[0])
    return found


def _past_noise(words: Sequence[str], at: int) -> int:
    while at < len(words) and (words[at] in _NOISE or words[at].isdigit()):
        at += 1
    return at


def _name(tokens: Sequence[str], at: int, database: str) -> tuple[Name, int]:
    first = tokens[at] if at < len(tokens) else ""
    if tokens[at + 1 : at + 2] == ["."] and at + 2 < len(tokens):
        return (first, tokens[at + 2]), at + 3
    return (database, first), at + 1


def _list(tokens: Sequence[str], at: int, database: str) -> Iterator[Name]:
    at = _past_noise([token.upper() for token in tokens], at)
    while at < len(tokens):
        name, at = _name(tokens, at, database)
        yield name
        if tokens[at : at + 1] != [","]:
            return
        at += 1


def _pairs(tokens: Sequence[str], at: int, database: str) -> Iterator[tuple[Name, Name]]:
    at = _past_noise([token.upper() for token in tokens], at)
    while at < len(tokens):
        old, at = _name(tokens, at, database)
        at = next((i for i in range(at, len(tokens)) if tokens[i].upper() == "TO"), len(tokens)) + 1
        new, at = _name(tokens, at, database)
        yield old, new
        if tokens[at : at + 1] != [","]:
            return
        at += 1


def _renamed(tokens: Sequence[str], at: int, name: Name, database: str) -> Iterator[tuple[Name, Name]]:
    """ALTER TABLE … RENAME [TO|AS] other."""
    for place in range(at, len(tokens)):
        if tokens[place].upper() != "RENAME":
            continue
        following = [token.upper() for token in tokens[place + 1 : place + 2]]
        if following and following[0] not in ("COLUMN", "INDEX", "KEY"):
            start = place + 2 if following[0] in ("TO", "AS", "=") else place + 1
            yield name, _name(tokens, start, database)[0]


_WHOLESALE = {
    *(("TRUNCATE", "PARTITION"), ("DROP", "PARTITION"), ("EXCHANGE", "PARTITION"), ("CONVERT", "PARTITION")),
    *(("CONVERT", "TABLE"), ("IMPORT", "TABLESPACE"), ("DISCARD", "TABLESPACE")),
    *(("IMPORT", "PARTITION"), ("DISCARD", "PARTITION")),
}


def _refilled(tokens: Sequence[str], at: int, name: Name, database: str) -> Iterator[Name]:
    """ALTER TABLE … EXCHANGE PARTITION p WITH TABLE other, CONVERT PARTITION p TO TABLE other, and the like."""
    words = [token.upper() for token in tokens[at:]]
    if not _WHOLESALE & set(pairwise(words)):
        return
    yield name
    for place, word in enumerate(words):
        if word == "TABLE":
            yield _name(tokens, at + place + 1, database)[0]


def _mentioned(tokens: Sequence[str], database: str) -> Iterator[Name]:
    """Every name that may be a table: for statements that must not be in the log at all."""
    for place, token in enumerate(tokens):
        if tokens[place + 1 : place + 2] == ["."] and place + 2 < len(tokens):
            yield token, tokens[place + 2]
        yield database, token


def column_renames(statement: Statement, before: Table, after: Table) -> dict[str, str]:
    """Old → new name of each column that the statement renames (CHANGE old new, RENAME COLUMN old TO new)."""
    old = {column.name.upper(): column.name for column in before.columns}
    new = {column.name.upper(): column.name for column in after.columns}
    words, found = statement.words, {}
    for place, word in enumerate(words):
        at = place + 1
        if word == "CHANGE":
            at += words[at : at + 1] == ("COLUMN",)
            at += 2 if words[at : at + 2] == ("IF", "EXISTS") else 0
            pair = words[at : at + 2]
        elif word == "RENAME" and words[at : at + 1] == ("COLUMN",):
            at += 3 if words[at + 1 : at + 3] == ("IF", "EXISTS") else 1
            pair = (*words[at : at + 1], *words[at + 2 : at + 3])
        else:
            continue
        if len(pair) == 2 and pair[0] in old and pair[1] in new and pair[0] != pair[1]:
            found[old[pair[0]]] = new[pair[1]]
    return found


def renames_columns(statement: Statement) -> bool:
    """Whether a column gets another name, as far as the words alone tell."""
    words = statement.words
    if statement.verb != "ALTER":
        return False
    changed = [_column_at(statement, place + 1, 2) for place, word in enumerate(words) if word == "CHANGE"]
    return ("RENAME", "COLUMN") in pairwise(words) or any(len({*names}) == 2 for names in changed)


def steps(statement: Statement, before: Table, after: Table) -> list[tuple[str, Table]]:
    """What leads from `before` to `after`: (kind, the table after this step), each of one kind. A name in another
    letter case is the same name."""
    renames = column_renames(statement, before, after)
    anew = added(statement) & frozenset(_dropped(statement))
    known = {column.name.lower() for column in after.columns if column.name.upper() not in anew}
    found: list[tuple[str, Table]] = []
    columns = [c for c in before.columns if c.name.lower() in known or c.name in renames]
    if len(columns) < len(before.columns):
        found.append(("DROPCOLUMN", replace(before, columns=tuple(columns), keys=after.keys)))
    if renames:
        columns = [replace(c, name=renames.get(c.name, c.name)) for c in columns]
        found.append(("RENAMECOLUMN", replace(before, columns=tuple(columns), keys=after.keys)))
    wanted = {column.name.lower(): column for column in after.columns}
    changed = [wanted[column.name.lower()] for column in columns]
    if [_typed(c) for c in changed] != [_typed(c) for c in columns]:
        found.append(("MODIFYCOLUMN", replace(after, columns=tuple(changed))))
    if len(changed) < len(after.columns):
        found.append(("ADDCOLUMN", after))
    if found and found[-1][0] != "RENAMECOLUMN":  # whose columns tell by their places which is which
        found[-1] = found[-1][0], after
    return found


def exchanges(statement: Statement, before: Table, after: Table) -> bool:
    """Whether a column takes the name that another one had, which is renamed or dropped at once: by their names nobody
    can tell the columns before from those behind it."""
    there = {column.name.lower() for column in before.columns}
    return any(new.lower() in there for new in column_renames(statement, before, after).values())


def undone(statement: Statement, after: Table) -> Table:
    """The table as it was before an ALTER, as far as the statement's words tell: what was not seen then is gone.

    A dropped column comes back by its name only; nobody knows any more what it was.
    """
    old_names = {}
    for place, word in enumerate(statement.words):
        at = place + 1
        if word in ("CHANGE", "RENAME"):
            names = _column_at(statement, at, 3)
            if word == "CHANGE" or statement.words[at : at + 1] == ("COLUMN",):
                old_names[names[-1] if word == "RENAME" else "".join(names[1:2])] = names[0] if names else ""
    columns = [
        replace(column, name=_first_case(statement, old_names.get(column.name.upper(), "")) or column.name)
        for column in after.columns
        if column.name.upper() not in added(statement)
    ]
    there = {column.name.upper() for column in columns}
    lost = [Column(_first_case(statement, name), Kind.STRING) for name in _dropped(statement) if name not in there]
    return replace(after, columns=tuple(columns + lost))


_NO_COLUMNS = frozenset({"INDEX", "KEY", "PRIMARY", "UNIQUE", "FOREIGN", "CONSTRAINT", "CHECK", "PARTITION", "PERIOD"})


def added(statement: Statement) -> frozenset[str]:
    """The columns that an ALTER adds, in upper case."""
    if statement.verb != "ALTER":
        return frozenset()
    places = [place + 1 for place, word in enumerate(statement.words) if word == "ADD"]
    return frozenset(word for place in places for word in _added_at(statement, place)) - _NO_COLUMNS


def _added_at(statement: Statement, at: int) -> Iterator[str]:
    """What follows ADD: one column, or several in brackets."""
    words = statement.words[_past_column(statement, at) :]
    if words[:1] != ("(",):
        yield from words[:1]
        return
    depth = 0
    for place, word in enumerate(words):
        depth += (word == "(") - (word == ")")
        if depth == 0:
            return
        if depth == 1 and word in ("(", ","):
            yield from words[place + 1 : place + 2]


def _dropped(statement: Statement) -> list[str]:
    """The columns that an ALTER drops, in upper case."""
    places = [place + 1 for place, word in enumerate(statement.words) if word == "DROP"]
    names = [word for place in places for word in _column_at(statement, place)]
    return [name for name in names if name not in _NO_COLUMNS] if statement.verb == "ALTER" else []


def _past_column(statement: Statement, at: int) -> int:
    """Behind COLUMN and IF [NOT] EXISTS, which may be left out."""
    words = statement.words
    while words[at : at + 1] and words[at] in ("COLUMN", "IF", "NOT", "EXISTS"):
        at += 1
    return at


def _column_at(statement: Statement, at: int, count: int = 1) -> list[str]:
    """The words that follow COLUMN and IF [NOT] EXISTS, which may be left out."""
    at = _past_column(statement, at)
    return list(statement.words[at : at + count])


def _first_case(statement: Statement, name: str) -> str:
    """A name as the statement wrote it."""
    return next((written for written in statement.written if written.upper() == name), name)


def only_adds(statement: Statement) -> bool:
    """Whether a table's earlier columns are still its first ones after the statement, with the same defaults."""
    other = {"DROP", "CHANGE", "MODIFY", "RENAME", "FIRST", "AFTER", "CONVERT", "CHARACTER", "CHARSET", "COLLATE"}
    words = statement.words
    return statement.verb == "ALTER" and not other & set(words) and ("SET", "DEFAULT") not in pairwise(words)


def modifies(statement: Statement) -> bool:
    return bool({"MODIFY", "CHANGE", "CONVERT"} & set(statement.words))


def _typed(column: Column) -> tuple[object, ...]:
    return column.kind, column.nullable, column.length, column.precision, column.scale

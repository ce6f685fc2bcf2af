"""What a statement in the log does to tables: only as much as must be known to read the schema again.

No grammar of SQL is followed to the end. Names are found by the first words of a statement; what has changed is told by
comparing what the server described before with what it describes now.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

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
    identifiers unquoted; `written`: the same as it was.
    """

    verb: str
    tables: tuple[Name, ...] = ()
    renames: tuple[tuple[Name, Name], ...] = ()
    words: tuple[str, ...] = ()
    written: tuple[str, ...] = ()


def parse(text: str, database: str) -> Statement:
    """What a QUERY event says; `database` is the one that names without one belong to."""
    tokens = _tokens(text)
    return replace(_parsed(tokens, database), written=tuple(tokens))


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
    at = next((i for i, word in enumerate(words[:8]) if word in ("TABLE", "TABLES")), 0)
    if not at or "TEMPORARY" in words[1:at] or any(word not in _NOISE for word in words[1:at]):
        return Statement("", (), (), words)
    return _table_statement(verb, tokens, at + 1, database)


def _table_statement(verb: str, tokens: Sequence[str], at: int, database: str) -> Statement:
    words = tuple(token.upper() for token in tokens)
    if verb == "RENAME":
        pairs = tuple(_pairs(tokens, at, database))
        return Statement(verb, tuple(name for pair in pairs for name in pair), pairs, words)
    if verb == "DROP":
        return Statement(verb, tuple(_list(tokens, at, database)), (), words)
    name, at = _name(tokens, _past_noise(words, at), database)
    renames = tuple(_renamed(tokens, at, name, database)) if verb == "ALTER" else ()
    return Statement(verb, (name, *(new for _, new in renames)), renames, words)


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


def steps(statement: Statement, before: Table, after: Table) -> list[tuple[str, Table]]:
    """What leads from `before` to `after`: (kind, the table after this step), each of one kind."""
    renames = column_renames(statement, before, after)
    known = {column.name for column in after.columns}
    found: list[tuple[str, Table]] = []
    columns = [c for c in before.columns if c.name in known or c.name in renames]
    if len(columns) < len(before.columns):
        found.append(("DROPCOLUMN", replace(before, columns=tuple(columns), keys=after.keys)))
    if renames:
        columns = [replace(c, name=renames.get(c.name, c.name)) for c in columns]
        found.append(("RENAMECOLUMN", replace(before, columns=tuple(columns), keys=after.keys)))
    wanted = {column.name: column for column in after.columns}
    changed = [wanted[column.name] for column in columns]
    if [_typed(c) for c in changed] != [_typed(c) for c in columns]:
        found.append(("MODIFYCOLUMN", replace(after, columns=tuple(changed))))
    if len(changed) < len(after.columns):
        found.append(("ADDCOLUMN", after))
    return [*found[:-1], (found[-1][0], after)] if found else []


def undone(statement: Statement, after: Table) -> Table:
    """The table as it was before an ALTER, as far as the statement's words tell: what was not seen then is gone.

    A dropped column comes back by its name only; nobody knows any more what it was.
    """
    added, dropped, old_names = set(), [], {}
    for place, word in enumerate(statement.words):
        at = place + 1
        if word == "ADD":
            added |= set(_column_at(statement, at))
        elif word == "DROP":
            dropped += _column_at(statement, at)
        elif word in ("CHANGE", "RENAME"):
            names = _column_at(statement, at, 3)
            if word == "CHANGE" or statement.words[at : at + 1] == ("COLUMN",):
                old_names[names[-1] if word == "RENAME" else "".join(names[1:2])] = names[0] if names else ""
    there = {column.name.upper() for column in after.columns}
    columns = [
        replace(column, name=_first_case(statement, old_names.get(column.name.upper(), "")) or column.name)
        for column in after.columns
        if column.name.upper() not in added
    ]
    lost = [Column(_first_case(statement, name), Kind.STRING) for name in dropped if name not in there | _NO_COLUMNS]
    return replace(after, columns=tuple(columns + lost))


_NO_COLUMNS = frozenset({"INDEX", "KEY", "PRIMARY", "UNIQUE", "FOREIGN", "CONSTRAINT", "CHECK", "PARTITION", "PERIOD"})


def _column_at(statement: Statement, at: int, count: int = 1) -> list[str]:
    """The words that follow COLUMN and IF [NOT] EXISTS, which may be left out."""
    words = statement.words
    while words[at : at + 1] and words[at] in ("COLUMN", "IF", "NOT", "EXISTS"):
        at += 1
    return list(words[at : at + count])


def _first_case(statement: Statement, name: str) -> str:
    """A name as the statement wrote it."""
    return next((written for written in statement.written if written.upper() == name), name)


def only_adds(statement: Statement) -> bool:
    """Whether a table's earlier columns are still its first ones after the statement."""
    other = {"DROP", "CHANGE", "MODIFY", "RENAME", "FIRST", "AFTER", "CONVERT", "CHARACTER", "CHARSET", "COLLATE"}
    return statement.verb == "ALTER" and not other & set(statement.words)


def modifies(statement: Statement) -> bool:
    return bool({"MODIFY", "CHANGE", "CONVERT"} & set(statement.words))


def _typed(column: Column) -> tuple[object, ...]:
    return column.kind, column.nullable, column.length, column.precision, column.scale

"""The compiled hot loops: rows go from a server's bytes to a server's bytes without becoming Python objects.

    packets    a socket's bytes → whole packets of MySQL's protocol
    results    packets of a text result → rows
    changelog  packets of a binary log → rows of changes
    fold       rows of changes → the last state of every key
    rows       what all of them write and read: rows in the format `pgcopy`

`pgcopy`: the tuples of PostgreSQL's binary COPY, one behind the other, without its header and trailer. Each column lies
as the type that its kind becomes in PostgreSQL when nobody says otherwise (`rows.FIELDS`).

Every read is checked against the end of what is there, and every fault is a ValueError that says what was wrong. The
Python code that does the same value by value (`connectors/mysql/values.py`, `connectors/mysql/binlog`,
`connectors/postgres/fields.py`) is the reference: tests hold both against each other, on a server's bytes and on broken
ones.
"""

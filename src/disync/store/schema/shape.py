"""What the tables are made of: whom they belong to, and the columns that most of them have."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Identity, Integer, MetaData, Text

metadata = MetaData()
nonces = MetaData()
"""Apart from the others: only PostgreSQL has it. See Store.nonces."""

# SQLite only numbers rows by itself for a column of exactly this type.
Id = BigInteger().with_variant(Integer, "sqlite")


def row_id(start: int = 1) -> Column[int]:
    return Column("id", Id, Identity(start=start), primary_key=True)


def ms(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def text(name: str, default: str = "") -> Column[str]:
    return Column(name, Text, nullable=False, server_default=default)


def count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")

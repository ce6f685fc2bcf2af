"""What is Hologres' own is used where a server says it is one, and only there."""

from __future__ import annotations

from place import PEOPLE, Place, changes, flush, load

from disync.connectors import find
from disync.model.data import Column, Table
from disync.model.types import Kind

SHIM = """
CREATE FUNCTION hg_version() RETURNS text LANGUAGE sql AS $$ SELECT 'Hologres 3.1 (a stand-in)' $$;
CREATE TABLE properties (name text, key text, value text);
CREATE PROCEDURE set_table_property(text, text, text) LANGUAGE sql AS $$ INSERT INTO properties VALUES ($1, $2, $3) $$;
"""


def test_on_a_plain_postgresql_it_is_postgresql(place: Place) -> None:
    sink = place.sink(PEOPLE, kind="holo", writeMode="replay", datasourceSchema="public", tableMappingRule={})
    sink.write(load([(1, "one")]))
    sink.write(changes(("U", (1, "uno"))))
    assert flush(sink) == []
    assert place.rows() == [(1, "uno")]


def test_a_hologres_gets_its_properties_and_narrower_decimals(place: Place) -> None:
    place.run(SHIM)
    wide = (Column("a", Kind.DECIMAL, precision=38, scale=18), Column("b", Kind.DECIMAL, precision=65, scale=30))
    table = Table("wide", (Column("id", Kind.INTEGER), *wide), ("id",))
    sink = place.sink(table, kind="holo")
    assert place.run("SELECT * FROM properties") == [('"public"."wide"', "orientation", "column")]
    sink.write(changes(("I", (1, "1.5", "9" * 35 + ".25")), table=table))
    assert flush(sink) == []
    assert place.run("SELECT a, pg_typeof(b)::text, b FROM wide")[0][1:] == ("text", "9" * 35 + ".25")


def test_it_is_registered_with_probe_and_catalog(place: Place) -> None:
    connector = find("Holo")
    assert connector is not None and connector.probe is not None and connector.catalog is not None
    connector.probe(place.content)
    assert [database.name for database in connector.catalog(place.content)] == ["public"]

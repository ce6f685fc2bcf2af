"""What a task would do, told before it is made, and tables of its target made by hand: over real databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from datahub.models import FieldType, RecordSchema
from operating import PROJECT, SEED, Call, data_source, member
from psycopg.conninfo import conninfo_to_dict
from shapes import wrong
from solving import SEED as SOLUTION

import mysqld
import servers
from datahub import DataHub
from disync.connectors import find
from disync.datahub.local import LocalDataHub
from disync.model.connector import Site
from disync.model.errors import ForbiddenAccess, Refused
from disync.services import Services
from disync.services.access import Caller, Role

SHOP = (
    "CREATE TABLE orders (id BIGINT UNSIGNED PRIMARY KEY, name VARCHAR(40) COMMENT 'x', amount DECIMAL(10,2) NOT NULL)",
    "CREATE TABLE part_1 (id INT PRIMARY KEY, note TEXT)",
    "CREATE TABLE part_2 (id INT PRIMARY KEY, note TEXT, more INT)",
    "CREATE TABLE plain (id INT)",
    "CREATE TABLE strange (id INT PRIMARY KEY, u UUID)",
)
TOPIC, COPY = "dwd_tfc_opt_speed_rid_amap_rt_330000", "dwd_tfc_opt_speed_rid_amap_rt"


pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
"""The store has no part in it."""


@pytest.fixture(scope="module")
def source() -> Iterator[mysqld.Server]:
    with mysqld.server() as server:
        server.run("CREATE DATABASE shop")
        server.run(SHOP, "shop")
        yield server


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with servers.postgres() as url:
        yield url


@pytest.fixture
def target(server: str) -> Iterator[str]:
    with servers.database(server, "target") as url:
        yield url


def content_of(url: str) -> str:
    at = conninfo_to_dict(url)
    found = f"jdbc:postgresql://{at['host']}:{at['port']}/{at['dbname']}"
    return json.dumps({"jdbcUrl": found, "username": at["user"], "password": "", "tag": "public"})


@pytest.fixture
def both(call: Call, source: mysqld.Server, target: str) -> Call:
    """Calls operations where the seed's two data sources are real."""
    data_source(call, "mm", DataSourceType="mysql", Content=json.dumps(source.content("shop")))
    data_source(call, "holo", DataSourceType="holo", Content=content_of(target))
    return call


def solution(mapping: dict[str, Any] | None = None, **reader: Any) -> str:
    """The seed's text with another selection and mapping."""
    root = json.loads(SOLUTION)
    steps = root["realtimeSyncConfig"]["content"]["steps"]
    steps[0]["parameter"]["connection"][0] |= reader
    if mapping is not None:
        steps[1]["parameter"]["tableMappingRule"] = root["tableMappingRuleFromRealtimeSyncConfig"] = mapping
    return json.dumps(root)


def preview(call: Call, content: str, kind: str = "DI_SOLUTION", **more: Any) -> Any:
    answer = call("PreviewDISyncTask", **PROJECT, TaskType=kind, TaskContent=content, **more)
    assert wrong("PreviewDISyncTask", answer) == []
    assert (answer["Data"]["Status"], answer["Data"]["Message"]) == ("success", None)
    return answer["Data"]


def make(call: Call, ddl: str, name: str = "holo") -> Any:
    answer = call("CreateDISyncTargetTable", **PROJECT, DatasourceName=name, Ddl=ddl)
    assert wrong("CreateDISyncTargetTable", answer) == []
    return answer["Data"]


def run(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as session:
        cursor = session.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def test_a_solution_is_told_table_by_table(both: Call) -> None:
    found = preview(both, SOLUTION)
    assert (found["TotalCount"], found["PageNumber"], found["PageSize"]) == (5, 1, 10)
    assert [one["SourceTable"] for one in found["Tables"]] == ["orders", "part_1", "part_2", "plain", "strange"]
    orders = found["Tables"][0]
    assert (orders["TargetTable"], orders["Exists"], orders["Warnings"]) == ("public.orders", False, [])
    assert [tuple(column.values()) for column in orders["Columns"]] == [
        ("id", "bigint(20) unsigned", "numeric(20,0)", False, True),
        ("name", "varchar(40)", "character varying(40)", True, False),
        ("amount", "decimal(10,2)", "numeric(10,2)", False, False),
    ]
    assert orders["Ddl"].startswith('CREATE TABLE "public"."orders" (\n    "id" numeric(20,0) NOT NULL,\n')


def test_what_a_run_would_stop_at_is_a_warning_of_its_table_alone(both: Call) -> None:
    told = {one["SourceTable"]: one for one in preview(both, SOLUTION)["Tables"]}
    assert "It has no key" in told["plain"]["Warnings"][0]
    assert "Column u has the type uuid, which cannot be read" in told["strange"]["Warnings"][0]
    assert (told["strange"]["Exists"], told["strange"]["Columns"], told["strange"]["Ddl"]) == (None, [], "")
    assert told["part_1"]["Warnings"] == []


def test_the_statement_told_is_the_one_that_the_writer_runs(both: Call, source: mysqld.Server, target: str) -> None:
    made = preview(both, solution(table=["orders"]))["Tables"][0]["Ddl"]
    assert make(both, made) == {"Status": "success", "Message": None, "Table": "public.orders"}
    described = "SELECT column_name, data_type, is_nullable FROM information_schema.columns WHERE table_schema = "
    by_hand = run(target, f"{described} 'public' ORDER BY ordinal_position")
    reader, writer = find("mysql"), find("holo")
    assert reader is not None and reader.reader is not None and writer is not None and writer.writer is not None
    steps = json.loads(solution(table=["orders"]))["realtimeSyncConfig"]["content"]["steps"]
    reads = reader.reader(Site(steps[0]["parameter"], {"mm": source.content("shop")}))
    writes = writer.writer(Site({"datasource": "holo", "schema": "run"}, {"holo": json.loads(content_of(target))}))
    try:
        writes.prepare([replace(table, path=()) for table in reads.tables()])
    finally:
        writes.close()
        reads.close()
    by_run = run(target, f"{described} 'run' AND table_name = 'orders' ORDER BY ordinal_position")
    assert by_hand == by_run and len(by_run) == 3
    again = preview(both, solution(table=["orders"]))["Tables"][0]
    assert (again["Exists"], again["Ddl"], again["Warnings"]) == (True, "", [])


def test_a_target_that_is_there_and_differs_is_told_as_a_run_would(both: Call, target: str) -> None:
    run(target, "CREATE TABLE orders (id numeric(20,0) PRIMARY KEY, name varchar(10), must int NOT NULL)")
    one = preview(both, solution(table=["orders"]))["Tables"][0]
    assert one["Exists"] is True and one["Ddl"] == ""
    (told,) = one["Warnings"]
    for said in ("does not fit orders", "name: it is character varying(10)", "no column amount", "column must"):
        assert said in told, told
    assert [column["TargetType"] for column in one["Columns"]] == ["numeric(20,0)", "character varying(10)", ""]
    run(target, "CREATE VIEW part_1 AS SELECT 1 AS id")
    (told,) = preview(both, solution(table=["part_1"]))["Tables"][0]["Warnings"]
    assert "is a view" in told


def test_rules_select_rename_add_and_merge(both: Call) -> None:
    selects = [{"objectType": "Table", "expressionType": "Regex", "expression": "part_[0-9]+|orders"}]
    names = [("one", "Rename", "Table"), ("from", "AddColumn", "Table"), ("key", "DefinePrimaryKey", "Table")]
    uses = [{"ruleName": n, "ruleActionType": action, "ruleTargetType": to} for n, action, to in names]
    expressions: list[dict[str, Any]] = [
        {"expression": "parts"},
        {"columns": [{"columnName": "src", "columnValueType": "Variable", "columnValue": "TABLE_NAME_SRC"}]},
        {"columns": ["src", "id"]},
    ]
    only = [{"objectType": "Table", "expressionType": "Regex", "expression": "part_.*"}]
    mapping = {
        "tableMappings": [{"sourceObjectSelectionRules": only, "transformationRules": uses}],
        "transformationRules": [
            use | {"ruleExpression": expression} for use, expression in zip(uses, expressions, strict=True)
        ],
    }
    content = solution(mapping, sourceObjectSelectionRules=selects)
    found = preview(both, content)
    targets = {one["SourceTable"]: one["TargetTable"] for one in found["Tables"]}
    assert targets == {"orders": "public.orders", "part_1": "public.parts", "part_2": "public.parts"}
    page = preview(both, content, PageSize=1, PageNumber=2)
    assert page["TotalCount"] == 3
    (part,) = page["Tables"]
    assert [(c["Name"], c["SourceType"], c["Key"]) for c in part["Columns"]] == [
        ("id", "int(11)", True),
        ("note", "text", False),
        ("src", "", True),
        ("more", "", False),
    ], "the target has the columns of all its sources"
    assert 'PRIMARY KEY ("src", "id")' in part["Ddl"] and '"more" integer' in part["Ddl"]
    assert preview(both, content, Keyword="ORD")["TotalCount"] == 1
    with pytest.raises(Refused, match="Several tables of the source would be written to"):
        preview(
            both,
            solution(
                {
                    "tableMappings": [],
                    "datasource": [
                        {"tableRule": [{"srcTable": name, "dstTable": "same"} for name in ("part_1", "part_2")]}
                    ],
                }
            ),
        )


def test_only_the_page_is_looked_at(both: Call, source: mysqld.Server) -> None:
    """However many tables there are, the source is asked equally often."""

    def queries() -> int:
        return int(source.run("SHOW GLOBAL STATUS LIKE 'Queries'")[0][1])

    def asked(database: str, tables: int) -> tuple[int, int]:
        source.run(f"CREATE DATABASE {database}")
        source.run([f"CREATE TABLE t{number} (id INT PRIMARY KEY)" for number in range(tables)], database)
        data_source(both, database, DataSourceType="mysql", Content=json.dumps(source.content(database)))
        first = queries()
        assert preview(both, SOLUTION.replace('"mm"', f'"{database}"'), PageSize=3)["TotalCount"] == tables
        then = queries()
        page = {"DatasourceName": database, "Keyword": f"{database}.", "PageSize": 100}
        assert both("ListDataSourceTables", **PROJECT, **page)["Data"]["TotalCount"] == tables
        last = queries()
        source.run(f"DROP DATABASE {database}")
        return then - first, last - then

    assert asked("few", 5) == asked("many", 150)


def test_a_text_that_could_not_be_deployed_is_refused_at_its_place(both: Call, source: mysqld.Server) -> None:
    place = r"\$\.realtimeSyncConfig\.content\.steps\[1\]"
    with pytest.raises(Refused, match=rf"{place}\.parameter\.datasource: there is no data source named \"none\""):
        preview(both, SOLUTION.replace('"holo"', '"none"').replace('"stepType":"none"', '"stepType":"holo"'))
    with pytest.raises(Refused, match=rf"{place}\.parameter\.writeMode"):
        preview(both, SOLUTION.replace('"replay"', '"sideways"'))
    with pytest.raises(Refused, match="this is not JSON"):
        preview(both, "{")
    with pytest.raises(Refused, match="DI_OFFLINE tasks are not served"):
        preview(both, SOLUTION, "DI_OFFLINE")
    data_source(both, "gone", DataSourceType="mysql", Content=json.dumps(source.content("shop", 1)))
    with pytest.raises(Refused, match="cannot be reached"):
        preview(both, SOLUTION.replace('"mm"', '"gone"'))


def test_topics_are_told_in_words(call: Call, tmp_path_factory: pytest.TempPathFactory) -> None:
    with LocalDataHub(tmp_path_factory.mktemp("hub"), {"id": "secret"}) as hub:
        client = DataHub("id", "secret", hub.endpoint)
        for name, project in (("datahub_uric_test", "uric_test"), ("datahub_cloud_dev_test", "cloud_dev_test")):
            client.create_project(project, "made by a test")
            where = {"endpoint": hub.endpoint, "project": project, "accessId": "id", "accessKey": "secret"}
            data_source(call, name, Content=json.dumps(where))
        both = RecordSchema.from_lists(["rid", "speed"], [FieldType.STRING, FieldType.DOUBLE])
        client.create_tuple_topic("uric_test", TOPIC, 1, 7, both, "made by a test")
        (one,) = preview(call, SEED, "DI_REALTIME")["Tables"]
        assert (one["SourceTable"], one["TargetTable"]) == (TOPIC, f"cloud_dev_test.{COPY}")
        assert (one["Exists"], one["Ddl"]) == (False, "")
        assert "DISync makes none" in one["Warnings"][0]
        assert "as a TUPLE topic with the fields rid string, speed double" in one["Warnings"][0]
        fewer = RecordSchema.from_lists(["rid"], [FieldType.STRING])
        client.create_tuple_topic("cloud_dev_test", COPY, 1, 7, fewer, "made by a test")
        (one,) = preview(call, SEED, "DI_REALTIME")["Tables"]
        assert (one["Exists"], one["Ddl"]) == (True, "")
        assert one["Warnings"] == ["The topic has no field for these columns, and they are left out: speed."]
        assert [tuple(column.values()) for column in one["Columns"]] == [
            ("rid", "string", "string", True, False),
            ("speed", "double", "", True, False),
        ]
        with pytest.raises(Refused, match="DISync makes no tables in data sources of the type datahub"):
            make(call, "CREATE TABLE t (id int)", "datahub_cloud_dev_test")


def test_a_table_is_made_with_its_schema_and_only_where_there_is_none(both: Call, target: str) -> None:
    ddl = 'CREATE TABLE "new"."t" (id int PRIMARY KEY, "name" text DEFAULT \';\')'
    assert make(both, ddl)["Table"] == "new.t"
    assert run(target, "SELECT count(*) FROM new.t") == [(0,)]
    with pytest.raises(Refused, match=r'There is a table "new"\."t" already, and it stays as it is\. Use it, drop it'):
        make(both, ddl)
    assert make(both, "CREATE TABLE bare (id int)")["Table"] == "public.bare"


def test_whatever_is_no_create_table_is_not_run(both: Call, target: str) -> None:
    run(target, "CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)")
    for ddl in (
        "DROP TABLE kept",
        "CREATE TABLE t (id int); DROP TABLE kept",
        "CREATE TABLE t AS SELECT * FROM kept",
        "CREATE TABLE IF NOT EXISTS kept (id int)",
    ):
        with pytest.raises(Refused, match="This is not one CREATE TABLE statement"):
            make(both, ddl)
    with pytest.raises(Refused, match=r'PostgreSQL refuses the statement: type "no_such" does not exist'):
        make(both, "CREATE TABLE half.t (id no_such)")
    assert run(target, "SELECT id FROM kept") == [(1,)]
    assert run(target, "SELECT count(*) FROM pg_namespace WHERE nspname = 'half'") == [(0,)], "nothing is left of it"


def test_addresses_are_checked_and_roles_hold(services: Services, root: Caller, both: Call, target: str) -> None:
    nowhere = json.loads(content_of(target)) | {"jdbcUrl": "jdbc:postgresql://169.254.169.254:5432/d"}
    data_source(both, "meta", DataSourceType="holo", Content=json.dumps(nowhere))
    with pytest.raises(Refused, match="Task have SSRF attacks"):
        make(both, "CREATE TABLE t (id int)", "meta")
    for role in (Role.VISITOR, None):
        who = member(services, root, f"one-{role}", role)
        with pytest.raises(ForbiddenAccess):
            make(who, "CREATE TABLE t (id int)")
        with pytest.raises(ForbiddenAccess):
            preview(who, SOLUTION)
    make(member(services, root, "dev", Role.DEVELOPER), "CREATE TABLE t (id int)")
    (event,) = both("ListAuditEvents", AuditAction="CreateDISyncTargetTable", UserId="dev")["Data"]["Events"]
    assert event["Code"] == "OK" and "CREATE TABLE t" in event["Parameters"]


def test_tables_are_listed_with_rows_bytes_and_keys(both: Call, source: mysqld.Server, target: str) -> None:
    def tables(name: str, **more: Any) -> list[tuple[Any, ...]]:
        answer = both("ListDataSourceTables", **PROJECT, DatasourceName=name, PageSize=100, **more)
        assert wrong("ListDataSourceTables", answer) == []
        return [tuple(one.values()) for one in answer["Data"]["Tables"]]

    source.run("CREATE DATABASE sized")
    source.run(
        [
            "CREATE TABLE t (a INT, b VARCHAR(9), PRIMARY KEY (b, a))",
            "INSERT INTO t SELECT seq, 'x' FROM seq_1_to_5000",
            "CREATE TABLE only_unique (a INT NOT NULL, b INT NOT NULL, UNIQUE (b))",
            "CREATE VIEW v AS SELECT a FROM t",
            "ANALYZE TABLE t",
        ],
        "sized",
    )
    (unique, sized) = tables("mm", Keyword="sized.")
    assert unique[:2] == ("sized", "only_unique") and unique[4] == ["b"]
    assert sized[:2] == ("sized", "t") and sized[4] == ["b", "a"]
    assert 4000 < sized[2] < 6000 and sized[3] > 50_000
    assert {database for database, *_ in tables("mm")} == {"shop", "sized"}
    assert {database for database, *_ in tables("mm", Database="sized", Keyword="o")} == {"sized"}
    counted = both("ListDataSourceTables", **PROJECT, DatasourceName="mm", Database="sized", Keyword="PART")["Data"]
    assert counted["Databases"] == [{"Database": "shop", "Tables": 2}, {"Database": "sized", "Tables": 0}]
    assert counted["TotalCount"] == 0
    source.run("DROP DATABASE sized")

    run(target, "CREATE SCHEMA s; CREATE TABLE s.t (a int, b int, PRIMARY KEY (b, a)); CREATE TABLE s.u (a int)")
    run(target, "INSERT INTO s.t SELECT n, n FROM generate_series(1, 500) AS n; ANALYZE s.t")
    run(target, "CREATE TABLE s.p (a int PRIMARY KEY) PARTITION BY LIST (a)")
    run(target, "CREATE TABLE s.p1 PARTITION OF s.p FOR VALUES IN (1); INSERT INTO s.p VALUES (1)")
    parted, sized, empty = tables("holo", Keyword="s.")
    assert sized[:3] == ("s", "t", 500) and sized[3] > 8192 and sized[4] == ["b", "a"]
    assert empty == ("s", "u", None, 0, [])
    assert parted[:2] == ("s", "p") and parted[3] > 0 and parted[4] == ["a"]

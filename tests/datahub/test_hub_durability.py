"""What was acknowledged is there: after kill -9 under load, with a torn tail, and until its lifecycle ends."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
import time
from pathlib import Path

import psutil
import pytest
from datahub.core import DatahubProtocolType
from datahub.exceptions import SeekOutOfRangeException
from datahub.models import BlobRecord, CursorType
from datahub.models.compress import CompressFormat

from datahub import DataHub
from disync.connectors.datahub.wire.entry import Entry
from disync.datahub import cursor as cursors
from disync.datahub.hub import DAY_MS, Hub, now_ms
from disync.datahub.local import LocalDataHub
from disync.datahub.records import put_entries

KEYS = {"id": "secret"}


def connect(hub: LocalDataHub, protocol: DatahubProtocolType = DatahubProtocolType.BATCH) -> DataHub:
    return DataHub("id", "secret", hub.endpoint, protocol_type=protocol, compress_format=CompressFormat.LZ4)


def held(client: DataHub, shard: str) -> list[str]:
    cursor = client.get_cursor("kept", "t", shard, CursorType.OLDEST).cursor
    found: list[str] = []
    while True:
        result = client.get_blob_records("kept", "t", shard, cursor, 10_000)
        if not result.records:
            return found
        found += [record.blob_data.decode() for record in result.records]
        cursor = result.next_cursor


class Writer(threading.Thread):
    """Puts numbered records to one shard, and keeps those that were acknowledged."""

    def __init__(self, hub: LocalDataHub, name: str, shard: str) -> None:
        super().__init__()
        protocol = DatahubProtocolType.BATCH if shard == "0" else DatahubProtocolType.PB
        self.client = connect(hub, protocol)
        self.writer, self.shard = name, shard
        self.acknowledged: list[str] = []

    def run(self) -> None:
        number = 0
        while True:
            records = [f"{self.writer}-{number + n}" for n in range(random.Random(number).randint(1, 40))]
            number += len(records)
            try:
                blobs = [BlobRecord(blob_data=record.encode()) for record in records]
                self.client.put_records_by_shard("kept", "t", self.shard, blobs)
            except Exception:  # whatever form it takes: the server is gone
                return
            self.acknowledged += records


def test_kill_under_load_loses_nothing_acknowledged(tmp_path: Path) -> None:
    with LocalDataHub(tmp_path, KEYS) as hub:
        client = connect(hub)
        client.create_project("kept", "")
        client.create_blob_topic("kept", "t", 2, 3, "")
        acknowledged: dict[str, list[str]] = {"0": [], "1": []}
        for life in range(3):
            writers = [Writer(hub, f"{life}.{n}", str(n % 2)) for n in range(4)]
            for writer in writers:
                writer.start()
            until = time.monotonic() + 20
            while min(len(writer.acknowledged) for writer in writers) < 100 and time.monotonic() < until:
                time.sleep(0.01)
            hub.kill()
            for writer in writers:
                writer.join()
                assert len(writer.acknowledged) >= 100
            hub.start()
            for shard in ("0", "1"):
                found = held(client, shard)
                assert len(found) == len(set(found))
                for writer in writers:
                    if writer.shard == shard:
                        mine = [record for record in found if record.startswith(f"{writer.writer}-")]
                        # In order, and beyond the acknowledged ones at most the put that was under way.
                        assert mine[: len(writer.acknowledged)] == writer.acknowledged
                        assert [int(record.partition("-")[2]) for record in mine] == list(range(len(mine)))
                        assert len(mine) - len(writer.acknowledged) <= 40
                assert [record for record in found if record in set(acknowledged[shard])] == acknowledged[shard]
                acknowledged[shard] = found


@pytest.mark.parametrize("torn", [b"x", b"DFRM", bytes(5000)], ids=["byte", "magic", "zeros"])
def test_a_torn_tail_is_cut_off(tmp_path: Path, torn: bytes) -> None:
    with LocalDataHub(tmp_path, KEYS) as hub:
        client = connect(hub)
        client.create_project("kept", "")
        client.create_blob_topic("kept", "t", 1, 3, "")
        client.put_records_by_shard("kept", "t", "0", [BlobRecord(blob_data=b"first")])
        hub.kill()
        [segment] = tmp_path.rglob("*.segment")
        with segment.open("ab") as file:
            file.write(torn)
        hub.start()
        assert held(client, "0") == ["first"]
        client.put_records_by_shard("kept", "t", "0", [BlobRecord(blob_data=b"second")])
        assert held(client, "0") == ["first", "second"]


def test_a_shard_closed_by_a_split_stays_closed(tmp_path: Path) -> None:
    with LocalDataHub(tmp_path, KEYS) as hub:
        client = connect(hub)
        client.create_project("kept", "")
        client.create_blob_topic("kept", "t", 1, 3, "")
        client.put_records_by_shard("kept", "t", "0", [BlobRecord(blob_data=b"parent")])
        client.split_shard("kept", "t", "0")
        client.put_records_by_shard("kept", "t", "2", [BlobRecord(blob_data=b"child")])
        before = client.list_shard("kept", "t").to_json()
        hub.kill()
        hub.start()
        assert client.list_shard("kept", "t").to_json() == before
        assert held(client, "2") == ["child"]


def test_what_outlives_its_lifecycle_is_removed(tmp_path: Path) -> None:
    """Written when the clock was eight days back; the next start sweeps."""
    with LocalDataHub(tmp_path, KEYS) as hub:
        client = connect(hub)
        client.create_project("kept", "")
        client.create_blob_topic("kept", "t", 1, 7, "")
    _put_days_ago(tmp_path, 8)
    with LocalDataHub(tmp_path, KEYS) as hub:
        client = connect(hub)
        assert client.get_cursor("kept", "t", "0", CursorType.LATEST).sequence == 2
        assert client.get_cursor("kept", "t", "0", CursorType.OLDEST).sequence == 3
        assert held(client, "0") == []
        with pytest.raises(SeekOutOfRangeException):
            client.get_cursor("kept", "t", "0", CursorType.SEQUENCE, 0)
        with pytest.raises(SeekOutOfRangeException):
            client.get_blob_records("kept", "t", "0", _cursor(client, 0), 10)
        client.put_records_by_shard("kept", "t", "0", [BlobRecord(blob_data=b"new")])
        assert client.get_cursor("kept", "t", "0", CursorType.OLDEST).sequence == 3
    with LocalDataHub(tmp_path, KEYS) as hub:  # the numbers go on over restarts, too
        assert held(connect(hub), "0") == ["new"]


def test_what_is_younger_than_its_lifecycle_stays(tmp_path: Path) -> None:
    with LocalDataHub(tmp_path, KEYS) as hub:
        client = connect(hub)
        client.create_project("kept", "")
        client.create_blob_topic("kept", "t", 1, 7, "")
    _put_days_ago(tmp_path, 6)
    with LocalDataHub(tmp_path, KEYS) as hub:
        client = connect(hub)
        assert held(client, "0") == ["0", "1", "2"]
        client.update_topic("kept", "t", 5, "")
        hub.restart()
        assert held(client, "0") == []


def test_it_stops_within_five_seconds_whoever_is_connected(tmp_path: Path) -> None:
    hub = LocalDataHub(tmp_path, KEYS)
    hub.start()
    connect(hub).list_project()  # leaves its connection open
    with socket.create_connection(("127.0.0.1", int(hub.endpoint.rpartition(":")[2]))) as half:
        half.sendall(b"POST /projects/x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
        connect(hub).list_project()
        process = psutil.Process(hub.pid)
        begun = time.monotonic()
        process.terminate()
        assert process.wait(10) == 0
        assert time.monotonic() - begun < 5
    hub.stop()


def test_one_server_a_folder(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with LocalDataHub(tmp_path, KEYS), pytest.raises(RuntimeError, match="did not start"):
        LocalDataHub(tmp_path, KEYS).start()
    assert "Another DataHub server is using" in capfd.readouterr().err


def _cursor(client: DataHub, sequence: int) -> str:
    newest = client.get_cursor("kept", "t", "0", CursorType.LATEST).cursor
    return cursors.dump(int(newest[:8], 16), 0, sequence)


def _put_days_ago(home: Path, days: int) -> None:
    """Three records, by the hub itself under a clock that is behind."""

    async def put() -> None:
        hub = Hub(home, clock=lambda: now_ms() - days * DAY_MS)
        topic = hub.catalog.topic("kept", "t")
        assert await put_entries(hub, topic, [Entry((b"%d" % n,)) for n in range(3)], 0) == []
        await hub.close()

    asyncio.run(put())

"""What a run reads and where it goes: kept as JSON, and shown as OpenLineage's datasets with their facets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from disync.model.lineage import Dataset, Field, Flow
from disync.services.lineage.facets import facet

MOST = 1000
"""Tables of one run that are told of: the first ones by their names."""

_FLOWS = tuple[Flow, ...]


def write(flows: Sequence[Flow]) -> str:
    """NULs, which no store takes, are left out."""
    first = sorted(flows, key=lambda one: (one.source.namespace, one.source.name))[:MOST]
    return msgspec.json.encode(first).decode().replace("\\u0000", "")


def read(text: str) -> Sequence[Flow]:
    return msgspec.json.decode(text, type=_FLOWS)


def inputs(flows: Sequence[Flow]) -> list[dict[str, Any]]:
    return [_dataset(one.source, {"schema": _schema(one.source_fields)}) for one in flows]


def outputs(flows: Sequence[Flow]) -> list[dict[str, Any]]:
    """Each table of the target once; one of several sources has the fields of them all."""
    merged: dict[Dataset, list[Flow]] = {}
    for one in flows:
        merged.setdefault(one.target, []).append(one)
    return [_output(target, into) for target, into in merged.items()]


def _output(target: Dataset, into: Sequence[Flow]) -> dict[str, Any]:
    fields = {field.name: field for one in into for field in one.target_fields}
    facets = {"schema": _schema(tuple(fields.values()))}
    origins: dict[str, list[dict[str, Any]]] = {}
    for one in into:
        for column, origin in one.columns.items():
            origins.setdefault(column, []).append(_origin(one.source, origin))
    if origins:
        facets["columnLineage"] = facet(
            "ColumnLineageDatasetFacet", fields={column: {"inputFields": found} for column, found in origins.items()}
        )
    return _dataset(target, facets)


def _origin(source: Dataset, field: str) -> dict[str, Any]:
    same = {"type": "DIRECT", "subtype": "IDENTITY", "description": "", "masking": False}
    return {"namespace": source.namespace, "name": source.name, "field": field, "transformations": [same]}


def _schema(fields: Sequence[Field]) -> dict[str, Any]:
    listed = [
        {"name": one.name, "type": one.type, **({"description": one.comment} if one.comment else {})} for one in fields
    ]
    return facet("SchemaDatasetFacet", fields=listed)


def _dataset(named: Dataset, facets: Mapping[str, Any]) -> dict[str, Any]:
    return {"namespace": named.namespace, "name": named.name, "facets": facets}

"""Reads events, one a line, and makes of each what OpenLineage's own client has for it: an unknown or missing member,
or a value that it would not take, ends this with an error. Writes the type of each event, and its facets' names."""

import json
import sys

from openlineage.client import event_v2, facet_v2

FACETS = {
    "columnLineage": facet_v2.column_lineage_dataset.ColumnLineageDatasetFacet,
    "errorMessage": facet_v2.error_message_run.ErrorMessageRunFacet,
    "jobType": facet_v2.job_type_job.JobTypeJobFacet,
    "parent": facet_v2.parent_run.ParentRunFacet,
    "processing_engine": facet_v2.processing_engine_run.ProcessingEngineRunFacet,
    "schema": facet_v2.schema_dataset.SchemaDatasetFacet,
}


def facets(found):
    return {name: facet(FACETS[name], members) for name, members in found.items()}


def facet(kind, members):
    members = dict(members)
    producer, schema = members.pop("_producer"), members.pop("_schemaURL")
    made = kind(**{name: inner(kind, name, value) for name, value in members.items()}, producer=producer)
    if schema != made._schemaURL:
        raise ValueError(f"{kind.__name__} is {made._schemaURL}, not {schema}")
    return made


def inner(kind, name, value):
    lineage, parents, schema = facet_v2.column_lineage_dataset, facet_v2.parent_run, facet_v2.schema_dataset
    if (kind.__name__, name) == ("SchemaDatasetFacet", "fields"):
        return [schema.SchemaDatasetFacetFields(**one) for one in value]
    if (kind.__name__, name) == ("ColumnLineageDatasetFacet", "fields"):
        return {column: lineage.Fields([origin(one) for one in of["inputFields"]]) for column, of in value.items()}
    if kind.__name__ == "ParentRunFacet":
        return {"run": parents.Run, "job": parents.Job}[name](**value)
    return value


def origin(one):
    lineage = facet_v2.column_lineage_dataset
    transformations = [lineage.Transformation(**each) for each in one["transformations"]]
    return lineage.InputField(one["namespace"], one["name"], one["field"], transformations)


def dataset(kind, found):
    return kind(namespace=found["namespace"], name=found["name"], facets=facets(found["facets"]))


def event(found):
    found = dict(found)
    run, job = found.pop("run"), found.pop("job")
    made = event_v2.RunEvent(
        eventTime=found.pop("eventTime"),
        producer=found.pop("producer"),
        eventType=event_v2.RunState[found.pop("eventType")],
        run=event_v2.Run(runId=run["runId"], facets=facets(run["facets"])),
        job=event_v2.Job(namespace=job["namespace"], name=job["name"], facets=facets(job["facets"])),
        inputs=[dataset(event_v2.InputDataset, one) for one in found.pop("inputs")],
        outputs=[dataset(event_v2.OutputDataset, one) for one in found.pop("outputs")],
    )
    if found.pop("schemaURL") != made.schemaURL or found:
        raise ValueError(f"schemaURL is {made.schemaURL}; left over: {found}")
    return made


for line in sys.stdin:
    raw = json.loads(line)
    made = event(raw)
    named = {*raw["run"]["facets"], *raw["job"]["facets"]}
    named |= {name for one in (*raw["inputs"], *raw["outputs"]) for name in one["facets"]}
    print(json.dumps([made.eventType.name, sorted(named)]))

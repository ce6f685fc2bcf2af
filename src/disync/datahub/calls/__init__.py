"""The calls, one module a resource. A call is a function registered under its verb, its path and its Action."""

from disync.datahub.calls import connectors, projects, records, shards, subscriptions, topics

__all__ = ["connectors", "projects", "records", "shards", "subscriptions", "topics"]

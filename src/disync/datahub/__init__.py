"""A server that speaks the DataHub protocol, for machines that have no DataHub.

segment, log           records on disk: checksummed frames in append-only files, one log a shard
database, catalog      projects, topics and schema versions, in SQLite
shards, cursor         the hash space that shards divide, and places in a shard
subscriptions, groups  offsets with their sessions, and who of a consumer group reads which shard
hub, records           all of it behind one object; records in and out, in the three protocols
registry, calls        which function answers which call; one module a resource
authentication, http   who sent a request; the ASGI application
server, local          the process, and the same as a child process for tests
"""

"""A server that speaks the DataHub protocol, for machines that have no DataHub.

segment, log          records on disk: checksummed frames in append-only files, one log a shard
catalog, shards       projects, topics, schemas, shards and their hash ranges
subscriptions, groups offsets with their sessions, and who of a consumer group reads which shard
cursor, records       places in a shard; records in and out, in the three protocols
hub                   all of it behind one object
actions, http         JSON calls and the ASGI application
server, local         the process, and the same as a child process for tests
"""

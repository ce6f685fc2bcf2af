"""The DataHub wire as pure functions: bytes in, values out, no I/O. Our client and the local server both stand on it.

schema    the record schema: JSON text, Schema, Table
entry     one record in its canonical form, whatever format it came in
json      record bodies of application/json
protobuf  messages of application/x-protobuf and application/x-binary
batch     the binary block that application/x-binary carries
frame     the checksummed envelope of protobuf bodies, and content compression
sign      the Authorization header
errors    the ErrorCode vocabulary, and Malformed: the one error that every decoder here raises
"""

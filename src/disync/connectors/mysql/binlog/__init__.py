"""The binary log as bytes: events, row images, fields. Nothing here talks to a server or knows a table's columns."""

"""Lineage: what runs read and write, told to a catalogue as events of OpenLineage. Off unless it is configured."""

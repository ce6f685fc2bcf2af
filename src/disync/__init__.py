"""DISync: a self-hosted Data Integration service that answers to the DataWorks OpenAPI (2020-05-18)."""

__version__ = "0.1.0"

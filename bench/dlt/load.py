"""Tables from MariaDB into PostgreSQL by dlt. Prints SECONDS and how many the pipeline took.

Run as `load.py SOURCE_URL DATABASE TARGET_URL SCHEMA FOLDER TABLE...`, in dlt's own environment. Of the backends and
file formats that its documentation offers, ConnectorX with CSV was the fastest here whose rows came out right.
"""

import os
import time
from sys import argv

source_url, database, target_url, schema, folder, *tables = argv[1:]
os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}

import dlt  # noqa: E402
from dlt.sources.sql_database import sql_database  # noqa: E402

source = sql_database(
    source_url.replace("mysql://", "mysql+pymysql://"),  # only to look at the tables: ConnectorX has its own driver
    schema=database,
    table_names=tables,
    backend="connectorx",
    reflection_level="full_with_precision",
    backend_kwargs={"conn": source_url},
)
pipeline = dlt.pipeline(
    "bench", pipelines_dir=folder, destination=dlt.destinations.postgres(target_url), dataset_name=schema
)
began = time.perf_counter()
pipeline.run(source, write_disposition="append", loader_file_format="csv")
print(f"SECONDS {time.perf_counter() - began:.3f}")

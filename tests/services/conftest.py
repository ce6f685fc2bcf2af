from stores import (  # noqa: F401
    postgres_migrated,
    postgres_store,
    root,
    services,
    sqlite_template,
    store,
    store_url,
)

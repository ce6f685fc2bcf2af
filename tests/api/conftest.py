from stores import (  # noqa: F401
    postgres_copy,
    postgres_template,
    root,
    services,
    sqlite_template,
    store,
    store_url,
)

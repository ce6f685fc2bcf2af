import pytest
from operating import Call, caller_of

from disync.services import Services
from disync.services.access import Caller
from stores import (  # noqa: F401
    postgres_migrated,
    postgres_store,
    root,
    services,
    sqlite_template,
    store,
    store_url,
)


@pytest.fixture
def call(services: Services, root: Caller) -> Call:  # noqa: F811
    """Calls an operation as root."""
    return caller_of(services, root)

"""The use cases, and the only transactions. `open_services` puts them together over a store."""

from __future__ import annotations

from dataclasses import dataclass

from disync.model.errors import Refused
from disync.services.access import Caller
from disync.services.audit import Audit
from disync.services.config_processes import ConfigProcesses
from disync.services.data_sources import DataSources
from disync.services.files import Files
from disync.services.first_start import bootstrap
from disync.services.folders import Folders
from disync.services.instances import Instances
from disync.services.keys import Keys, NewKey
from disync.services.members import Members
from disync.services.nonces import Nonces
from disync.services.positions import Positions
from disync.services.preview import Preview
from disync.services.project_configs import ProjectConfigs
from disync.services.refused_rows import RefusedRows
from disync.services.resource_groups import ResourceGroups
from disync.services.sessions import Sessions
from disync.services.solutions.solutions import Solutions
from disync.services.table_retries import TableRetries
from disync.services.tables import Tables
from disync.services.tasks import Tasks
from disync.services.users import Users
from disync.services.verification import Verification
from disync.services.verifications.verifications import Verifications
from disync.services.watch.watch import Watch
from disync.services.workspaces import Workspaces
from disync.store import installation
from disync.store.database import Store
from disync.store.vault import Vault

__all__ = ["Caller", "Services", "open_services"]


@dataclass(frozen=True, slots=True)
class Services:
    store: Store
    audit: Audit
    keys: Keys
    users: Users
    sessions: Sessions
    nonces: Nonces
    workspaces: Workspaces
    members: Members
    folders: Folders
    files: Files
    tasks: Tasks
    solutions: Solutions
    config_processes: ConfigProcesses
    preview: Preview
    instances: Instances
    watch: Watch
    positions: Positions
    refused_rows: RefusedRows
    table_retries: TableRetries
    verifications: Verifications
    data_sources: DataSources
    tables: Tables
    resource_groups: ResourceGroups
    project_configs: ProjectConfigs

    def bootstrap(self, access_key_id: str | None = None, access_key_secret: str | None = None) -> NewKey | None:
        """What every store must have, made if it is missing; the root key if it was made up now."""
        if (access_key_id is None) != (access_key_secret is None):
            raise Refused("Set both DISYNC_ACCESS_KEY_ID and DISYNC_ACCESS_KEY_SECRET, or neither.")
        given = NewKey(access_key_id, access_key_secret) if access_key_id and access_key_secret else None
        return bootstrap(self.store, self.keys, given)

    def installed(self) -> bool:
        """Whether `bootstrap` was ever done. Raises Refused where the store was sealed with another key file."""
        with self.store.read() as db:
            self.keys.check(db)
            return installation.found(db) is not None

    def reseal(self) -> int:
        """After a new key was put first in the key file: seal every secret with it. How many there were.

        Whoever is signed in at the console has to sign in again.
        """
        with self.store.write() as db:
            self.sessions.clear(db)
            return self.keys.reseal(db) + self.data_sources.reseal(db)


def open_services(store: Store, vault: Vault) -> Services:
    data_sources, keys = DataSources(store, vault), Keys(store, vault)
    return Services(
        store=store,
        audit=Audit(store),
        keys=keys,
        users=Users(keys),
        sessions=Sessions(store, vault, keys),
        nonces=Nonces(store),
        workspaces=Workspaces(store),
        members=Members(store),
        folders=Folders(store),
        files=Files(store),
        tasks=Tasks(store, data_sources),
        solutions=Solutions(store, data_sources),
        config_processes=ConfigProcesses(store, data_sources),
        preview=Preview(store, data_sources),
        instances=Instances(store),
        watch=Watch(store),
        positions=Positions(store, data_sources),
        refused_rows=RefusedRows(store),
        table_retries=TableRetries(store),
        verifications=Verifications(store, Verification(store, data_sources)),
        data_sources=data_sources,
        tables=Tables(data_sources),
        resource_groups=ResourceGroups(store),
        project_configs=ProjectConfigs(store),
    )

"""The use cases, and the only transactions. `open_services` puts them together over a store."""

from __future__ import annotations

from dataclasses import dataclass

from disync.model.errors import Refused
from disync.services.access import Caller
from disync.services.config_processes import ConfigProcesses
from disync.services.data_sources import DataSources
from disync.services.files import Files
from disync.services.first_start import bootstrap
from disync.services.folders import Folders
from disync.services.instances import Instances
from disync.services.keys import Keys, NewKey
from disync.services.nonces import Nonces
from disync.services.project_configs import ProjectConfigs
from disync.services.refused_rows import RefusedRows
from disync.services.resource_groups import ResourceGroups
from disync.services.solutions.solutions import Solutions
from disync.services.tasks import Tasks
from disync.services.verification import Verification
from disync.services.workspaces import Workspaces
from disync.store.database import Store
from disync.store.vault import Vault

__all__ = ["Caller", "Services", "open_services"]


@dataclass(frozen=True, slots=True)
class Services:
    store: Store
    keys: Keys
    nonces: Nonces
    workspaces: Workspaces
    folders: Folders
    files: Files
    tasks: Tasks
    solutions: Solutions
    config_processes: ConfigProcesses
    instances: Instances
    refused_rows: RefusedRows
    verification: Verification
    data_sources: DataSources
    resource_groups: ResourceGroups
    project_configs: ProjectConfigs

    def bootstrap(self, access_key_id: str | None = None, access_key_secret: str | None = None) -> NewKey | None:
        """What every store must have, made if it is missing; the root key if it was made up now."""
        if (access_key_id is None) != (access_key_secret is None):
            raise Refused("Set both DISYNC_ACCESS_KEY_ID and DISYNC_ACCESS_KEY_SECRET, or neither.")
        given = NewKey(access_key_id, access_key_secret) if access_key_id and access_key_secret else None
        return bootstrap(self.store, self.keys, given)

    def reseal(self) -> int:
        """After a new key was put first in the key file: seal every secret with it. How many there were."""
        with self.store.write() as db:
            return self.keys.reseal(db) + self.data_sources.reseal(db)


def open_services(store: Store, vault: Vault) -> Services:
    data_sources = DataSources(store, vault)
    return Services(
        store=store,
        keys=Keys(store, vault),
        nonces=Nonces(store),
        workspaces=Workspaces(store),
        folders=Folders(store),
        files=Files(store),
        tasks=Tasks(store, data_sources),
        solutions=Solutions(store, data_sources),
        config_processes=ConfigProcesses(store, data_sources),
        instances=Instances(store),
        refused_rows=RefusedRows(store),
        verification=Verification(store, data_sources),
        data_sources=data_sources,
        resource_groups=ResourceGroups(store),
        project_configs=ProjectConfigs(store),
    )

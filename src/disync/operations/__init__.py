"""The API's operations: action → function, `(services, caller, parameters) -> payload`.

Parameters come converted to their declared types, those that were not sent are missing; a payload has the members
beside the envelope, which the gateway adds. Failures are raised: Refused, or an ApiError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from disync.model.errors import ParamInvalid
from disync.operations import (
    business,
    config_processes,
    data_sources,
    di_sync,
    files,
    folders,
    project_configs,
    projects,
    resource_groups,
)
from disync.operations.parameters import Parameters, Payload
from disync.services import Caller, Services

Function = Callable[[Services, Caller, Parameters], Payload]

OPERATIONS: dict[str, Function] = {
    "CreateBusiness": business.create_business,
    "CreateDISyncTask": di_sync.create_di_sync_task,
    "CreateDataSource": data_sources.create_data_source,
    "CreateFolder": folders.create_folder,
    "CreateProject": projects.create_project,
    "DeleteDISyncTask": di_sync.delete_di_sync_task,
    "DeleteDataSource": data_sources.delete_data_source,
    "DeleteFile": files.delete_file,
    "DeployDISyncTask": di_sync.deploy_di_sync_task,
    "GenerateDISyncTaskConfigForCreating": config_processes.generate_di_sync_task_config_for_creating,
    "GenerateDISyncTaskConfigForUpdating": config_processes.generate_di_sync_task_config_for_updating,
    "GetDISyncInstanceInfo": di_sync.get_di_sync_instance_info,
    "GetDISyncTask": di_sync.get_di_sync_task,
    "GetDataSourceMeta": data_sources.get_data_source_meta,
    "GetFile": files.get_file,
    "GetProject": projects.get_project,
    "ListBusiness": business.list_business,
    "ListDIProjectConfig": project_configs.list_di_project_config,
    "ListDataSources": data_sources.list_data_sources,
    "ListFiles": files.list_files,
    "ListFolders": folders.list_folders,
    "ListProjects": projects.list_projects,
    "ListRefDISyncTasks": di_sync.list_ref_di_sync_tasks,
    "ListResourceGroups": resource_groups.list_resource_groups,
    "QueryDISyncTaskConfigProcessResult": config_processes.query_di_sync_task_config_process_result,
    "StartDISyncInstance": di_sync.start_di_sync_instance,
    "StopDISyncInstance": di_sync.stop_di_sync_instance,
    "TerminateDISyncInstance": di_sync.terminate_di_sync_instance,
    "TestNetworkConnection": data_sources.test_network_connection,
    "UpdateDIProjectConfig": project_configs.update_di_project_config,
    "UpdateDISyncTask": di_sync.update_di_sync_task,
    "UpdateDataSource": data_sources.update_data_source,
}

INLINE = frozenset(
    {"GetDISyncInstanceInfo", "GetDISyncTask", "GetFile", "GetProject", "ListBusiness", "ListFolders", "ListProjects"}
)
"""So quick that handing them to a thread would take longer than they do."""


@dataclass(frozen=True, slots=True)
class Handler:
    """An operation over the services of this process. `inline`: it may run on the event loop."""

    action: str
    function: Function
    services: Services
    inline: bool

    def __call__(self, caller: Caller, parameters: Parameters) -> Payload:
        for name, value in parameters.items():
            # No text of PostgreSQL can hold it, so it is refused in front of every store.
            if isinstance(value, str) and "\0" in value:
                raise ParamInvalid(name, "it has a NUL character in it.")
        return self.function(self.services, caller, parameters)


def bind(services: Services) -> Mapping[str, Handler]:
    return {name: Handler(name, function, services, name in INLINE) for name, function in OPERATIONS.items()}

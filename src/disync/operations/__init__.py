"""The API's operations and our own: action → function, `(services, caller, parameters) -> payload`.

Parameters come converted to their declared types, those that were not sent are missing; a payload has the members
beside the envelope, which the gateway adds. Failures are raised: Refused, or an ApiError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from disync.model.errors import ParamInvalid
from disync.operations import (
    audit,
    business,
    checkpoints,
    config_processes,
    data_sources,
    di_sync,
    dirty_rows,
    files,
    folders,
    members,
    project_configs,
    projects,
    resource_groups,
    tables,
    target_tables,
    users,
    verifications,
    watch,
)
from disync.operations.parameters import Parameters, Payload
from disync.services import Caller, Services
from disync.services.audit import Outcome, Write

Function = Callable[[Services, Caller, Parameters], Payload]

OPERATIONS: dict[str, Function] = {
    "AddProjectMemberToRole": members.add_project_member_to_role,
    "CreateAccessKey": users.create_access_key,
    "CreateBusiness": business.create_business,
    "CreateDISyncTargetTable": target_tables.create_di_sync_target_table,
    "CreateDISyncTask": di_sync.create_di_sync_task,
    "CreateDataSource": data_sources.create_data_source,
    "CreateFolder": folders.create_folder,
    "CreateProject": projects.create_project,
    "CreateProjectMember": members.create_project_member,
    "CreateUser": users.create_user,
    "DeleteDISyncTask": di_sync.delete_di_sync_task,
    "DeleteDataSource": data_sources.delete_data_source,
    "DeleteFile": files.delete_file,
    "DeleteProjectMember": members.delete_project_member,
    "DeployDISyncTask": di_sync.deploy_di_sync_task,
    "DropDISyncDirtyRows": dirty_rows.drop_di_sync_dirty_rows,
    "GenerateDISyncTaskConfigForCreating": config_processes.generate_di_sync_task_config_for_creating,
    "GenerateDISyncTaskConfigForUpdating": config_processes.generate_di_sync_task_config_for_updating,
    "GetCallerIdentity": users.get_caller_identity,
    "GetDISyncInstanceInfo": di_sync.get_di_sync_instance_info,
    "GetDISyncInstanceMetrics": watch.get_di_sync_instance_metrics,
    "GetDISyncTask": di_sync.get_di_sync_task,
    "GetDISyncVerification": verifications.get_di_sync_verification,
    "GetDataSourceMeta": data_sources.get_data_source_meta,
    "GetFile": files.get_file,
    "GetProject": projects.get_project,
    "ListAccessKeys": users.list_access_keys,
    "ListAuditEvents": audit.list_audit_events,
    "ListBusiness": business.list_business,
    "ListDIProjectConfig": project_configs.list_di_project_config,
    "ListDISyncCheckpoints": checkpoints.list_di_sync_checkpoints,
    "ListDISyncDirtyRows": dirty_rows.list_di_sync_dirty_rows,
    "ListDISyncInstanceEvents": watch.list_di_sync_instance_events,
    "ListDISyncInstanceTables": watch.list_di_sync_instance_tables,
    "ListDISyncInstances": watch.list_di_sync_instances,
    "ListDISyncVerifications": verifications.list_di_sync_verifications,
    "ListDataSourceTables": data_sources.list_data_source_tables,
    "ListDataSources": data_sources.list_data_sources,
    "ListFiles": files.list_files,
    "ListFolders": folders.list_folders,
    "ListProjectMembers": members.list_project_members,
    "ListProjectRoles": members.list_project_roles,
    "ListProjects": projects.list_projects,
    "ListRefDISyncTasks": di_sync.list_ref_di_sync_tasks,
    "ListResourceGroups": resource_groups.list_resource_groups,
    "ListUsers": users.list_users,
    "PreviewDISyncTask": target_tables.preview_di_sync_task,
    "QueryDISyncTaskConfigProcessResult": config_processes.query_di_sync_task_config_process_result,
    "RemoveProjectMemberFromRole": members.remove_project_member_from_role,
    "ReplayDISyncDirtyRows": dirty_rows.replay_di_sync_dirty_rows,
    "RetryDISyncTables": tables.retry_di_sync_tables,
    "StartDISyncInstance": di_sync.start_di_sync_instance,
    "StartDISyncVerification": verifications.start_di_sync_verification,
    "StopDISyncInstance": di_sync.stop_di_sync_instance,
    "StopDISyncVerification": verifications.stop_di_sync_verification,
    "TagResourceGroup": resource_groups.tag_resource_group,
    "TerminateDISyncInstance": di_sync.terminate_di_sync_instance,
    "TestDataSource": data_sources.test_data_source,
    "TestNetworkConnection": data_sources.test_network_connection,
    "UpdateAccessKey": users.update_access_key,
    "UpdateDIProjectConfig": project_configs.update_di_project_config,
    "UpdateDISyncCheckpoint": checkpoints.update_di_sync_checkpoint,
    "UpdateDISyncTask": di_sync.update_di_sync_task,
    "UpdateDataSource": data_sources.update_data_source,
}

INLINE = frozenset(
    (
        "GetCallerIdentity",
        "GetDISyncInstanceInfo",
        "GetDISyncTask",
        "GetFile",
        "GetProject",
        "ListBusiness",
        "ListFolders",
        "ListProjects",
    )
)
"""So quick that handing them to a thread would take longer than they do."""


_READS = ("Get", "List", "Preview", "Query")


@dataclass(frozen=True, slots=True)
class Handler:
    """An operation over the services of this process. `inline`: it may run on the event loop. Those that may change
    something are recorded in the audit log, whichever door they come through."""

    action: str
    function: Function
    services: Services
    inline: bool

    def __call__(self, caller: Caller, parameters: Parameters, request_id: str = "") -> Payload:
        for name, value in parameters.items():
            # No text of PostgreSQL can hold it, so it is refused in front of every store.
            if isinstance(value, str) and "\0" in value:
                raise ParamInvalid(name, "it has a NUL character in it.")
        if self.action.startswith(_READS):
            return self.function(self.services, caller, parameters)
        with self.services.audit.writing(Write(caller, self.action, parameters, request_id)) as outcome:
            payload = self.function(self.services, caller, parameters)
            _note(outcome, self.action, payload)
        return payload


def _note(outcome: Outcome, action: str, payload: Payload) -> None:
    """What an answer says about what was done: a refusal that is no error, and the number of what was made."""
    data, tested = payload.get("Data"), payload.get("TaskList")
    if isinstance(data, dict):
        outcome.file_id = data.get("FileId")
        if data.get("Status") == "fail":
            outcome.refuse("Invalid.Operation", data.get("Message") or "")
    elif action == "CreateProject":
        outcome.workspace_id = data
    if isinstance(tested, dict) and tested.get("ConnectStatus") is False:
        outcome.refuse("Invalid.Connection", tested.get("ConnectMessage") or "")


def bind(services: Services) -> Mapping[str, Handler]:
    return {name: Handler(name, function, services, name in INLINE) for name, function in OPERATIONS.items()}

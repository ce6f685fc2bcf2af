"""The demo's client: the vendor's official Python SDK, pointed at the demo's server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from alibabacloud_dataworks_public20200518 import models
from alibabacloud_dataworks_public20200518.client import Client
from alibabacloud_tea_openapi.models import Config

from disync.demo.place import Place
from disync.demo.seed import PROJECT_ID
from disync.model.errors import Refused

REALTIME = "DI_REALTIME"


class Api:
    """The official Python SDK, pointed at the demo's server."""

    def __init__(self, place: Place) -> None:
        self._client = Client(
            Config(
                access_key_id=place.key_id,
                access_key_secret=place.secret,
                endpoint=place.endpoint.removeprefix("http://"),
                protocol="http",
                region_id="cn-shanghai",
            )
        )

    def register(self, name: str, kind: str, content: Mapping[str, str]) -> None:
        """Make a data source."""
        self._client.create_data_source(
            models.CreateDataSourceRequest(
                project_id=PROJECT_ID, name=name, data_source_type=kind, env_type=1, content=json.dumps(content)
            )
        )

    def start(self, name: str, content: str, kind: str = REALTIME) -> int:
        """Create, deploy and start a task or a solution. Its FileId."""
        created = self._client.create_disync_task(
            models.CreateDISyncTaskRequest(
                project_id=PROJECT_ID,
                task_type=kind,
                task_name=name,
                task_content=content,
            )
        ).body.data
        _succeed("CreateDISyncTask", created)
        task = {"project_id": PROJECT_ID, "task_type": kind, "file_id": created.file_id}
        deployed = self._client.deploy_disync_task(models.DeployDISyncTaskRequest(**task))
        _succeed("DeployDISyncTask", deployed.body.data)
        started = self._client.start_disync_instance(models.StartDISyncInstanceRequest(**task))
        _succeed("StartDISyncInstance", started.body.data)
        return int(created.file_id)

    def state(self, file_id: int) -> tuple[str, str]:
        """(Status, Message) of the task's run."""
        request = models.GetDISyncInstanceInfoRequest(project_id=PROJECT_ID, task_type=REALTIME, file_id=file_id)
        found = self._client.get_disync_instance_info(request).body.data
        return str(found.status), str(found.message or "")

    def answer(self, file_id: int, kind: str = REALTIME) -> dict[str, Any]:
        request = models.GetDISyncTaskRequest(project_id=PROJECT_ID, task_type=kind, file_id=file_id)
        return dict(self._client.get_disync_task(request).body.to_map())


def _succeed(action: str, data: Any) -> None:
    if data.status != "success":
        raise Refused(f"{action} answers: {data.message}")

"""The demo's client: the vendor's official Python SDK, pointed at the demo's server."""

from __future__ import annotations

import json
from typing import Any

from alibabacloud_dataworks_public20200518 import models
from alibabacloud_dataworks_public20200518.client import Client
from alibabacloud_tea_openapi.models import Config

from disync.demo.place import Place
from disync.demo.seed import PROJECT_ID, SEED, SOURCE, TARGET
from disync.model.errors import Refused


class Api:
    """The official Python SDK, pointed at the demo's server."""

    def __init__(self, place: Place) -> None:

        self._models = models
        self._place = place
        self._client = Client(
            Config(
                access_key_id=place.key_id,
                access_key_secret=place.secret,
                endpoint=place.endpoint.removeprefix("http://"),
                protocol="http",
                region_id="cn-shanghai",
            )
        )

    def start(self) -> int:
        """Register both data sources; create, deploy and start the seed's task. Its FileId."""
        for name in (SOURCE, TARGET):
            self._client.create_data_source(
                models.CreateDataSourceRequest(
                    project_id=PROJECT_ID,
                    name=name,
                    data_source_type="datahub",
                    env_type=1,
                    content=json.dumps(self._place.content(name)),
                )
            )
        created = self._client.create_disync_task(
            models.CreateDISyncTaskRequest(
                project_id=PROJECT_ID,
                task_type="DI_REALTIME",
                task_name="demo_datahub_to_datahub",
                task_content=json.dumps(SEED, separators=(",", ":")),
            )
        ).body.data
        _succeed("CreateDISyncTask", created)
        task = {"project_id": PROJECT_ID, "task_type": "DI_REALTIME", "file_id": created.file_id}
        deployed = self._client.deploy_disync_task(models.DeployDISyncTaskRequest(**task))
        _succeed("DeployDISyncTask", deployed.body.data)
        started = self._client.start_disync_instance(models.StartDISyncInstanceRequest(**task))
        _succeed("StartDISyncInstance", started.body.data)
        return int(created.file_id)

    def answer(self, file_id: int) -> dict[str, Any]:
        request = models.GetDISyncTaskRequest(project_id=PROJECT_ID, task_type="DI_REALTIME", file_id=file_id)
        return dict(self._client.get_disync_task(request).body.to_map())


def _succeed(action: str, data: Any) -> None:
    if data.status != "success":
        raise Refused(f"{action} answers: {data.message}")

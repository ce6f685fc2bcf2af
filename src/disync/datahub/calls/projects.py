"""Projects."""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec

from disync.datahub.catalog import Project
from disync.datahub.errors import Fault, invalid
from disync.datahub.registry import Answer, Call, call

MAX_PROJECTS = 50
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{2,31}")
_PROJECT = "/projects/{project}"


class Describe(msgspec.Struct, rename="pascal"):
    comment: str = ""


@call("GET", "/projects")
def list_projects(call: Call) -> Answer:
    return {"ProjectNames": [project.name for project in call.hub.catalog.projects()]}


@call("POST", _PROJECT, body=Describe)
def create_project(call: Call) -> None:
    name = call.names["project"]
    if _NAME.fullmatch(name) is None:
        raise invalid("ProjectName", "3 to 32 letters, digits and underscores, a letter first")
    if len(call.hub.catalog.projects()) >= MAX_PROJECTS:
        raise Fault("LimitExceeded", f"there are at most {MAX_PROJECTS} projects")
    now = call.hub.clock() // 1000
    call.hub.catalog.create_project(Project(name, call.body.comment, now, now))


@call("GET", _PROJECT)
def get_project(call: Call) -> Answer:
    project = call.hub.catalog.project(call.names["project"])
    return {"Comment": project.comment, "CreateTime": project.created, "LastModifyTime": project.modified}


@call("PUT", _PROJECT, body=Describe)
def update_project(call: Call) -> None:
    project = call.hub.catalog.project(call.names["project"])
    now = call.hub.clock() // 1000
    call.hub.catalog.save_project(replace(project, comment=call.body.comment, modified=now))


@call("DELETE", _PROJECT)
def delete_project(call: Call) -> None:
    call.hub.catalog.project(call.names["project"])
    call.hub.catalog.delete_project(call.names["project"])

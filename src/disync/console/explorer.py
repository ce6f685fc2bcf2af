"""What the API explorer shows: the operations, a call as it is signed, and ready code that makes it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from disync.console.samples import samples
from disync.console.samples.call import Call
from disync.gateway.client import Client
from disync.gateway.parameters import convert
from disync.gateway.spec import Operation, Parameter, Spec
from disync.model.errors import ApiError, ParamInvalid
from disync.operations import OPERATIONS


def catalogue(spec: Spec) -> dict[str, Any]:
    """Every operation that is served, by name, and the groups they are in, in their order."""
    listed = [_operation(spec.operations[name]) | {"Group": spec.group(name).key} for name in sorted(OPERATIONS)]
    used = {one["Group"] for one in listed}
    groups = [{"Key": one.key, "En": one.en, "Zh": one.zh} for one in spec.groups if one.key in used]
    return {"Operations": listed, "Groups": groups}


def signed(spec: Spec, client: Client, action: str, parameters: Mapping[str, str]) -> dict[str, Any]:
    """The request that would be sent for it, good for once, and the samples. Raises what the API would answer to
    parameters that it cannot take."""
    operation = spec.operations.get(action) if action in OPERATIONS else None
    if operation is None:
        raise ApiError(404, "InvalidAction.NotFound", f"There is no operation {action} here.")
    known = {parameter.name for parameter in operation.parameters}
    for name in parameters:
        if name not in known:
            raise ParamInvalid(name, f"{action} has no such parameter.")
    convert(operation, parameters)
    request = client.signed(operation, parameters)
    return {
        "Method": request.method,
        "Url": request.url,
        "Headers": dict(request.headers),
        "Body": request.body.decode(),
        "CanonicalRequest": request.canonical,
        "StringToSign": request.to_sign,
        "Samples": samples(Call(operation, client.endpoint, parameters)),
    }


def _operation(operation: Operation) -> dict[str, Any]:
    return {
        "Name": operation.name,
        "Method": operation.method,
        "Own": operation.own,
        "Doc": inspect.getdoc(OPERATIONS[operation.name]) or "",
        "Parameters": [_parameter(parameter) for parameter in operation.parameters],
        "Response": operation.response,
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "Name": parameter.name,
        "In": parameter.place,
        "Type": parameter.type,
        "Required": parameter.required,
        "Json": parameter.json,
        "Values": sorted(parameter.values) if parameter.values is not None else None,
        "Minimum": parameter.minimum,
        "Maximum": parameter.maximum,
    }

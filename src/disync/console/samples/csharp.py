"""C#: `dotnet add package AlibabaCloud.SDK.Dataworks_public20200518`."""

from __future__ import annotations

from disync.console.samples.call import ID, REGION, SECRET, VERSION, Call, Value, quoted


def sample(call: Call) -> str:
    body = _typed(call) if call.typed else _generic(call)
    return f"""// dotnet add package AlibabaCloud.SDK.Dataworks_public20200518
using System;
using System.Collections.Generic;

var config = new AlibabaCloud.OpenApiClient.Models.Config
{{
    AccessKeyId = Environment.GetEnvironmentVariable("{ID}"),
    AccessKeySecret = Environment.GetEnvironmentVariable("{SECRET}"),
    Endpoint = {quoted(call.address)},
    Protocol = "{call.scheme}",
    RegionId = "{REGION}",
}};
{body}"""


def _typed(call: Call) -> str:
    sdk = "AlibabaCloud.SDK.Dataworks_public20200518"
    lines = "".join(f"    {value.name} = {_literal(value)},\n" for value in call.values)
    return f"""var client = new {sdk}.Client(config);
var request = new {sdk}.Models.{call.action}Request
{{
{lines}}};
var response = client.{call.action}(request);
Console.WriteLine(AlibabaCloud.TeaUtil.Common.ToJSONString(response.Body.ToMap()));
"""


def _generic(call: Call) -> str:
    query, form = (
        "".join(f"        [{quoted(value.name)}] = {quoted(value.text)},\n" for value in call.of(place))
        for place in ("query", "form")
    )
    return f"""var client = new AlibabaCloud.OpenApiClient.Client(config);
var parameters = new AlibabaCloud.OpenApiClient.Models.Params
{{
    Action = "{call.action}",
    Version = "{VERSION}",
    Method = "{call.operation.method}",
    Protocol = "{call.scheme.upper()}",
    AuthType = "AK",
    Style = "RPC",
    Pathname = "/",
    ReqBodyType = "formData",
    BodyType = "json",
}};
var request = new AlibabaCloud.OpenApiClient.Models.OpenApiRequest
{{
    Query = new Dictionary<string, string>
    {{
{query}    }},
    Body = new Dictionary<string, object>
    {{
{form}    }},
}};
var response = client.CallApi(parameters, request, new AlibabaCloud.TeaUtil.Models.RuntimeOptions());
Console.WriteLine(AlibabaCloud.TeaUtil.Common.ToJSONString(response["body"]));
"""


def _literal(value: Value) -> str:
    if isinstance(value.plain, bool):
        return str(value.plain).lower()
    return str(value.plain) if isinstance(value.plain, int) else quoted(value.plain)

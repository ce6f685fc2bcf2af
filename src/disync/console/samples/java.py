"""Java: `com.aliyun:dataworks_public20200518`."""

from __future__ import annotations

from disync.console.samples.call import ID, REGION, SECRET, VERSION, Call, Value, lower_first, quoted

_PLACES = ("query", "form")
_TYPED = ("com.aliyun.teaopenapi.models.Config",)
_GENERIC = (
    *_TYPED,
    "com.aliyun.teaopenapi.models.OpenApiRequest",
    "com.aliyun.teaopenapi.models.Params",
    "com.aliyun.teautil.models.RuntimeOptions",
    "java.util.HashMap",
    "java.util.Map",
)


def sample(call: Call) -> str:
    package = "com.aliyun.dataworks_public20200518" if call.typed else "com.aliyun.teaopenapi"
    body = _typed(call) if call.typed else _generic(call)
    imports = "".join(f"import {name};\n" for name in (_TYPED if call.typed else _GENERIC))
    return f"""// Maven: com.aliyun:dataworks_public20200518
{imports}
public class Sample {{
    public static void main(String[] arguments) throws Exception {{
        Config config = new Config()
            .setAccessKeyId(System.getenv("{ID}"))
            .setAccessKeySecret(System.getenv("{SECRET}"))
            .setEndpoint({quoted(call.address)})
            .setProtocol("{call.scheme}")
            .setRegionId("{REGION}");
        {package}.Client client = new {package}.Client(config);
{body}    }}
}}
"""


def _typed(call: Call) -> str:
    models = "com.aliyun.dataworks_public20200518.models"
    lines = "".join(f"\n            .set{value.name}({_literal(value)})" for value in call.values)
    return f"""        {models}.{call.action}Request request = new {models}.{call.action}Request(){lines};
        {models}.{call.action}Response response = client.{lower_first(call.action)}(request);
        System.out.println(com.aliyun.teautil.Common.toJSONString(response.getBody().toMap()));
"""


def _generic(call: Call) -> str:
    puts = [f"        {place}.put({quoted(v.name)}, {quoted(v.text)});\n" for place in _PLACES for v in call.of(place)]
    return f"""        Params params = new Params()
            .setAction("{call.action}").setVersion("{VERSION}").setMethod("{call.operation.method}")
            .setProtocol("{call.scheme.upper()}").setAuthType("AK").setStyle("RPC").setPathname("/")
            .setReqBodyType("formData").setBodyType("json");
        Map<String, String> query = new HashMap<>();
        Map<String, Object> form = new HashMap<>();
{"".join(puts)}        OpenApiRequest request = new OpenApiRequest().setQuery(query).setBody(form);
        Map<String, ?> response = client.callApi(params, request, new RuntimeOptions());
        System.out.println(com.aliyun.teautil.Common.toJSONString(response.get("body")));
"""


def _literal(value: Value) -> str:
    if isinstance(value.plain, bool):
        return str(value.plain).lower()
    if isinstance(value.plain, int):
        return f"{value.plain}L" if value.long else str(value.plain)
    return quoted(value.plain)

"""PHP: `composer require alibabacloud/dataworks-public-20200518`."""

from __future__ import annotations

from disync.console.samples.call import ID, REGION, SECRET, VERSION, Call, Value, lower_first


def sample(call: Call) -> str:
    return (_typed if call.typed else _generic)(call)


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _config(call: Call) -> str:
    return f"""new Config([
    'accessKeyId' => getenv('{ID}'),
    'accessKeySecret' => getenv('{SECRET}'),
    'endpoint' => {_quoted(call.address)},
    'protocol' => '{call.scheme}',
    'regionId' => '{REGION}',
])"""


def _typed(call: Call) -> str:
    lines = "".join(f"    '{lower_first(value.name)}' => {_literal(value)},\n" for value in call.values)
    return f"""<?php
// composer require alibabacloud/dataworks-public-20200518
require __DIR__ . '/vendor/autoload.php';

use AlibabaCloud\\SDK\\Dataworkspublic\\V20200518\\Dataworkspublic;
use AlibabaCloud\\SDK\\Dataworkspublic\\V20200518\\Models\\{call.action}Request;
use Darabonba\\OpenApi\\Models\\Config;

$client = new Dataworkspublic({_config(call)});
$request = new {call.action}Request([
{lines}]);
$response = $client->{lower_first(call.action)}($request);
echo json_encode($response->body->toMap(), JSON_PRETTY_PRINT | JSON_UNESCAPED_UNICODE), PHP_EOL;
"""


def _generic(call: Call) -> str:
    query, form = (
        "".join(f"        {_quoted(value.name)} => {_quoted(value.text)},\n" for value in call.of(place))
        for place in ("query", "form")
    )
    return f"""<?php
// composer require alibabacloud/darabonba-openapi
require __DIR__ . '/vendor/autoload.php';

use AlibabaCloud\\Tea\\Utils\\Utils\\RuntimeOptions;
use Darabonba\\OpenApi\\Models\\Config;
use Darabonba\\OpenApi\\Models\\OpenApiRequest;
use Darabonba\\OpenApi\\Models\\Params;
use Darabonba\\OpenApi\\OpenApiClient;

$client = new OpenApiClient({_config(call)});
$params = new Params([
    'action' => '{call.action}',
    'version' => '{VERSION}',
    'method' => '{call.operation.method}',
    'protocol' => '{call.scheme.upper()}',
    'authType' => 'AK',
    'style' => 'RPC',
    'pathname' => '/',
    'reqBodyType' => 'formData',
    'bodyType' => 'json',
]);
$request = new OpenApiRequest([
    'query' => [
{query}    ],
    'body' => [
{form}    ],
]);
$response = $client->callApi($params, $request, new RuntimeOptions([]));
echo json_encode($response['body'], JSON_PRETTY_PRINT | JSON_UNESCAPED_UNICODE), PHP_EOL;
"""


def _literal(value: Value) -> str:
    if isinstance(value.plain, bool):
        return str(value.plain).lower()
    return str(value.plain) if isinstance(value.plain, int) else _quoted(value.plain)

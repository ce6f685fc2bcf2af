"""Node: `npm install @alicloud/pop-core`."""

from __future__ import annotations

from disync.console.samples.call import ID, SECRET, VERSION, Call, quoted


def sample(call: Call) -> str:
    lines = "".join(f"  {value.name}: {quoted(value.text)},\n" for value in call.values)
    method = "GET" if call.operation.method == "GET" else "POST"
    return f"""// npm install @alicloud/pop-core
const {{ RPCClient }} = require('@alicloud/pop-core');

const client = new RPCClient({{
  accessKeyId: process.env.{ID},
  accessKeySecret: process.env.{SECRET},
  endpoint: {quoted(call.endpoint)},
  apiVersion: '{VERSION}',
}});
const params = {{
{lines}}};

client.request('{call.action}', params, {{ method: '{method}' }}).then(
  (answer) => console.log(JSON.stringify(answer, null, 2)),
  (error) => {{
    console.error(error.message);
    process.exitCode = 1;
  }},
);
"""

"""The vendor's command line tool, and our own."""

from __future__ import annotations

from disync.console.samples.call import ID, REGION, SECRET, VERSION, Call, shell


def aliyun(call: Call) -> str:
    """`--force`: it asks for no more than it knows of; `--insecure`: over HTTP."""
    insecure = " --insecure" if call.scheme == "http" else ""
    return f"""aliyun dataworks-public {call.action} --force --version {VERSION} --method {call.operation.method} \\
  --endpoint {shell(call.address)}{insecure} --region {REGION} \\
  --mode AK --access-key-id "${ID}" --access-key-secret "${SECRET}"{_parameters(call)}
"""


def disync(call: Call) -> str:
    return f"""export DISYNC_ACCESS_KEY_ID="${ID}" DISYNC_ACCESS_KEY_SECRET="${SECRET}"
disync call {call.action} --endpoint {shell(call.endpoint)}{_parameters(call)}
"""


def _parameters(call: Call) -> str:
    """With `=`, so that a value may begin with a dash."""
    return "".join(f" \\\n  --{value.name}={shell(value.text)}" for value in call.values)

"""Runs in the environment of the tools: Helm as a library, the schemas of Kubernetes, and a reader of YAML.

    tools.py render CHART < [values…]       for each the documents, or the text of why there are none
    tools.py lint CHART < [values…]         for each what is wrong, warnings too
    tools.py validate VERSION… < [document…]    what is wrong
    tools.py yaml FILE                      its content

All of it is JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import helm_python
import kubernetes_validate
import yaml

NAME, NAMESPACE = "prod", "data"
WARNING = 2


def render(chart: str) -> list[Any]:
    """As `helm template prod CHART --namespace data`."""
    return [_rendered(helm_python.Chart.load(chart), values) for values in json.load(sys.stdin)]


def _rendered(chart: helm_python.Chart, values: dict[str, Any]) -> Any:
    try:
        chart.validate_schema(values)
        manifests = chart.render(values, name=NAME, namespace=NAMESPACE)
    except helm_python.HelmError as error:
        return str(error)
    texts = [manifests[path] for path in sorted(manifests) if path.endswith(".yaml")]
    return [document for text in texts for document in yaml.safe_load_all(text) if document]


def lint(chart: str) -> list[Any]:
    """As `helm lint --strict CHART --namespace data`."""
    reports = [helm_python.lint(chart, values, strict=True, namespace=NAMESPACE) for values in json.load(sys.stdin)]
    assert all(report["total_charts_linted"] == 1 for report in reports)
    return [[m for m in report["messages"] if m["severity"] >= WARNING] + report["errors"] for report in reports]


def validate(*versions: str) -> list[str]:
    documents: list[dict[str, Any]] = json.load(sys.stdin)
    return [wrong for version in versions for one in documents if (wrong := _wrong(one, version))]


def _wrong(document: dict[str, Any], version: str) -> str:
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        at = ".".join(str(step) for step in error.path)
        return f"{version}: {document['kind']} {document['metadata']['name']}, {at}: {error.message}"
    return ""


def read(file: str) -> Any:
    with open(file, encoding="utf-8") as text:
        return yaml.safe_load(text)


if __name__ == "__main__":
    print(json.dumps({"render": render, "lint": lint, "validate": validate, "yaml": read}[sys.argv[1]](*sys.argv[2:])))

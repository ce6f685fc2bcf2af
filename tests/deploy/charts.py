"""The chart as Helm renders it, and other files of deploy/ as their own tools read them (scripts/install clients)."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "disync"
TOOLS = ROOT / ".cache" / "clients" / "deploy" / "bin"

Document = dict[str, Any]

SECRETS = {
    "store": {"existingSecret": "the-store"},
    "keyFile": {"existingSecret": "the-key"},
    "rootKey": {"existingSecret": "the-root"},
}
RAY = SECRETS | {"ray": {"enabled": True, "tokenSecret": "the-token"}}
TLS = SECRETS | {"ray": RAY["ray"] | {"tls": {"enabled": True, "authoritySecret": "the-authority"}}}
FULL = SECRETS | {
    "image": {
        "repository": "registry.example/disync",
        "digest": "sha256:" + "0" * 64,
        "pullSecrets": [{"name": "pull"}],
    },
    "console": {"hosts": ["disync.internal"]},
    "ingress": {"enabled": True, "className": "nginx", "host": "disync.example", "tlsSecret": "disync-tls"},
    "api": {"replicas": 3, "workers": 1, "env": [{"name": "TZ", "value": "Asia/Shanghai"}], "nodeSelector": {"a": "b"}},
    "workers": [
        {"group": "group_default", "replicas": 2},
        {
            "group": "S_res_group_280749521950784_1602767279794",
            "replicas": 4,
            "nodeSelector": {"zone": "far"},
            "tolerations": [{"key": "far", "operator": "Exists"}],
            "data": [{"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]}],
        },
        {"group": "Group_Default", "replicas": 0, "resources": {"limits": {"memory": "2Gi"}}},
    ],
    "networkPolicy": {"from": [{"namespaceSelector": {"matchLabels": {"name": "ingress"}}}], "dns": []},
}
GROUPS = SECRETS | {
    "ray": RAY["ray"]
    | {
        "head": {"state": {"enabled": True, "storageClass": "fast"}},
        "groups": [
            {"group": "group_default", "replicas": 2},
            {
                "group": "S_res_group_280749521950784_1602767279794",
                "replicas": 1,
                "podLabels": {"team": "far"},
                "podAnnotations": {"cost": "far"},
                "env": [{"name": "TZ", "value": "Asia/Shanghai"}],
                "nodeSelector": {"zone": "far"},
                "data": [{"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]}],
            },
        ],
    }
}
BARE = SECRETS | {
    "networkPolicy": {"enabled": False},
    "podDisruptionBudget": {"enabled": False},
    "serviceAccount": {"create": False},
    "workers": [],
}
SETS = {"secrets": SECRETS, "full": FULL, "bare": BARE, "ray": RAY, "tls": TLS, "groups": GROUPS}


def tool(command: str, *words: str, given: object = None) -> Any:
    """What tools.py says, in the environment of the tools."""
    done = subprocess.run(
        [TOOLS / "python", Path(__file__).with_name("tools.py"), command, *words],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@cache
def _all() -> dict[str, list[Document]]:
    return dict(zip(SETS, tool("render", str(CHART), given=list(SETS.values())), strict=True))


def rendered(name: str) -> list[Document]:
    """The chart's documents for one of SETS."""
    documents = _all()[name]
    assert not isinstance(documents, str), documents
    return documents


def of_kind(documents: list[Document], *kinds: str) -> list[Document]:
    return [document for document in documents if document["kind"] in kinds]


def pods(documents: list[Document]) -> list[tuple[str, Document]]:
    """(name of what makes them, template) of all pods."""
    found = [(one["metadata"]["name"], one["spec"]["template"]) for one in of_kind(documents, "Deployment")]
    for cluster in of_kind(documents, "RayCluster"):
        groups = [cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]]
        found += [(cluster["metadata"]["name"], group["template"]) for group in groups]
    return found


def yaml(path: Path) -> Any:
    return tool("yaml", str(path))

"""The Helm chart: linted, rendered for several sets of values, held against Kubernetes' schemas and our own rules."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from charts import BARE, CHART, FULL, RAY, SECRETS, SETS, Document, of_kind, pods, rendered, tool, yaml

from disync.cli import cli

KUBERNETES = ("1.25", "1.31", "1.34")


@pytest.fixture(params=SETS)
def documents(request: pytest.FixtureRequest) -> list[Document]:
    return rendered(request.param)


def test_helm_finds_nothing_to_blame() -> None:
    assert tool("lint", str(CHART), given=list(SETS.values())) == [[]] * len(SETS)


def test_kubernetes_knows_every_member() -> None:
    """Of a RayCluster, which Kubernetes does not know, its pods."""
    found = [one for name in SETS for one in rendered(name) if one["kind"] != "RayCluster"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "of-ray"}}
    for of_ray in ("ray", "tls", "groups"):
        found += [
            pod | {"spec": template["spec"]} for name, template in pods(rendered(of_ray)) if name.endswith("-ray")
        ]
    assert Counter(one["kind"] for one in found)["Pod"] == 7 and len(found) > 20
    assert tool("validate", *KUBERNETES, given=found) == []


def test_pods_may_do_nothing_that_they_need_not(documents: list[Document]) -> None:
    for _, template in pods(documents):
        spec = template["spec"]
        assert spec["automountServiceAccountToken"] is False and spec["enableServiceLinks"] is False
        inside = spec["securityContext"]
        assert inside["runAsNonRoot"] is True and inside["runAsUser"] == 10001
        assert inside["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False and context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert not container["image"].endswith((":latest", ":"))
        for container in spec["containers"]:
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            unseen = {"home", "key"} if _is_sidecar(container) else set()
            assert mounted == {volume["name"] for volume in spec["volumes"]} - {"ray-authority"} - unseen


def _is_sidecar(container: Document) -> bool:
    """Whether it is the node of Ray beside the server, on which nothing of ours runs."""
    return bool(container["name"] == "ray")


def test_what_is_secret_comes_from_secrets_that_are_there(documents: list[Document]) -> None:
    assert of_kind(documents, "Secret", "ConfigMap") == []
    for _, template in pods(documents):
        for container in template["spec"]["containers"]:
            given = {variable["name"]: variable for variable in container["env"]}
            secret = {name for name in given if re.search("URL|TOKEN|ACCESS_KEY", name)}
            assert ("DISYNC_STORE_URL" in secret) is not _is_sidecar(container)
            assert all("secretKeyRef" in given[name]["valueFrom"] for name in secret)
        (key,) = [volume for volume in template["spec"]["volumes"] if volume["name"] == "key"]
        assert key["secret"]["secretName"] == "the-key" and key["secret"]["defaultMode"] == 0o440


def test_what_selects_pods_selects_those_that_it_means(documents: list[Document]) -> None:
    labels = {
        name + str(number): template["metadata"]["labels"] for number, (name, template) in enumerate(pods(documents))
    }
    for deployment in of_kind(documents, "Deployment"):
        assert _selected(deployment["spec"]["selector"]["matchLabels"], labels) == 1
    for budget in of_kind(documents, "PodDisruptionBudget"):
        assert _selected(budget["spec"]["selector"]["matchLabels"], labels) == 1
    for service in of_kind(documents, "Service"):
        assert _selected(service["spec"]["selector"], labels) == 1
    policies = [policy["spec"]["podSelector"]["matchLabels"] for policy in of_kind(documents, "NetworkPolicy")]
    for own in labels.values():
        covered = sum(selector.items() <= own.items() for selector in policies)
        assert covered == (1 if policies else 0)
    names = Counter((one["kind"], one["metadata"]["name"]) for one in documents)
    assert max(names.values()) == 1
    assert all(re.fullmatch("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name) for _, name in names)


def _selected(selector: dict[str, str], labels: dict[str, dict[str, str]]) -> int:
    return sum(selector.items() <= own.items() for own in labels.values())


def test_the_command_line_takes_what_the_pods_are_started_with() -> None:
    for words in _commands(FULL):
        command = cli.commands[words[0]]
        context = command.make_context(words[0], list(words[1:]))
        assert context.params["host"] == "0.0.0.0"
    groups = [words[1] for words in _commands(FULL) if words[0] == "worker"]
    assert groups == [f"--group={one['group']}" for one in FULL["workers"]]  # type: ignore[index,union-attr]


def _commands(values: dict[str, Any]) -> Iterator[list[str]]:
    (name,) = [name for name, one in SETS.items() if one is values]
    for _, template in pods(rendered(name)):
        yield template["spec"]["containers"][0]["args"]


def test_each_kind_of_pod_is_asked_how_it_is() -> None:
    for deployment in of_kind(rendered("full"), "Deployment"):
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        asked = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
        assert asked["liveness"]["path"] == "/healthz" and asked["readiness"]["path"] == "/readyz"
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert {one["port"] for one in asked.values()} == ports.keys()
        assert list(ports.values()) == [8080 if container["name"] == "api" else 8082]
        assert container["resources"] if container["name"] == "api" else True


def test_nothing_reaches_a_worker_and_link_local_addresses_are_out_of_reach() -> None:
    for policy in of_kind(rendered("full"), "NetworkPolicy"):
        spec = policy["spec"]
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        if "-worker-" in policy["metadata"]["name"]:
            assert spec["ingress"] == []
    blocks = [
        peer["ipBlock"]
        for policy in of_kind(rendered("secrets"), "NetworkPolicy")
        for rule in policy["spec"]["egress"]
        for peer in rule.get("to", [])
        if "ipBlock" in peer
    ]
    assert blocks and all("169.254.0.0/16" in one["except"] for one in blocks if one["cidr"] == "0.0.0.0/0")
    far = [p for p in of_kind(rendered("full"), "NetworkPolicy") if "-worker-g" in p["metadata"]["name"]]
    assert any({"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]} in policy["spec"]["egress"] for policy in far)


def test_a_group_on_ray_reaches_its_own_data_and_the_head_none() -> None:
    documents = rendered("groups")
    egress = {
        policy["metadata"]["name"].removeprefix("prod-disync-"): policy["spec"]["egress"]
        for policy in of_kind(documents, "NetworkPolicy")
    }
    (far,) = egress.keys() - {"api", "ray", "ray-group-default"}
    own = {"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]}
    store = {"ports": [{"port": 5432, "protocol": "TCP"}]}
    assert own in egress[far] and store in egress[far]
    everything = [rule for rule in egress["ray-group-default"] if "ipBlock" in str(rule)]
    assert own not in everything and len(everything) == 1 and everything[0] not in egress[far]
    assert "ipBlock" not in str(egress["ray"]) and store not in egress["ray"]
    template = {dict(one["metadata"]["labels"]).get("team"): one for _, one in pods(documents)}["far"]
    assert template["metadata"]["annotations"] == {"cost": "far"}
    assert {"name": "TZ", "value": "Asia/Shanghai"} in template["spec"]["containers"][0]["env"]


def test_a_head_keeps_its_state_on_a_volume_if_asked_to_and_nodes_wait_for_it() -> None:
    documents = rendered("groups")
    (claim,) = of_kind(documents, "PersistentVolumeClaim")
    assert claim["spec"]["storageClassName"] == "fast" and claim["spec"]["resources"]["requests"] == {"storage": "1Gi"}
    keeping = []
    for _, template in pods(documents):
        volumes = [volume for volume in template["spec"]["volumes"] if volume["name"] == "state"]
        for container in template["spec"]["containers"]:
            given = {one["name"]: one.get("value") for one in container["env"]}
            assert given["RAY_gcs_rpc_server_reconnect_timeout_s"] == "600"
            if "RAY_gcs_storage" in given:
                keeping.append(container["name"])
                assert given["RAY_gcs_storage"] == "rocksdb"
                (mount,) = [one for one in container["volumeMounts"] if one["name"] == "state"]
                assert str(given["RAY_gcs_storage_path"]).startswith(mount["mountPath"])
                assert volumes[0]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert keeping == ["ray-head"]
    assert "rocksdb" not in json.dumps(rendered("ray"))


def test_the_console_takes_the_names_that_it_is_reached_by() -> None:
    (api,) = [template for name, template in pods(rendered("full")) if name.endswith("-api")]
    given = {one["name"]: one.get("value") for one in api["spec"]["containers"][0]["env"]}
    assert given["DISYNC_CONSOLE_HOSTS"] == "disync.internal,disync.example"


def test_on_ray_every_node_asks_for_a_token_and_one_server_keeps_the_workers_up() -> None:
    documents = rendered("ray")
    (deployment,) = of_kind(documents, "Deployment")
    assert deployment["spec"]["replicas"] == 1
    for container in (one for _, template in pods(documents) for one in template["spec"]["containers"]):
        given = {one["name"]: one for one in container["env"]}
        assert given["RAY_AUTH_MODE"]["value"] == "token" and given["RAY_USAGE_STATS_ENABLED"]["value"] == "0"
        assert given["RAY_AUTH_TOKEN"]["valueFrom"]["secretKeyRef"] == {"name": "the-token", "key": "token"}
        kept = int(given["RAY_ROTATION_MAX_BYTES"]["value"]) * (1 + int(given["RAY_ROTATION_BACKUP_COUNT"]["value"]))
        assert 32 * kept <= 256 << 20, "what /tmp holds"
    server, beside = deployment["spec"]["template"]["spec"]["containers"]
    params = cli.commands["serve"].make_context("serve", server["args"][1:]).params
    assert params["runner"] == "ray" and params["ray_address"] == "prod-disync-ray-head-svc:6379"
    assert (params["workers"], params["worker_cu"]) == (2, 0.5)
    assert f"ray start --address={params['ray_address']} --num-cpus=0" in beside["args"][0]
    assert deployment["spec"]["template"]["spec"]["shareProcessNamespace"] is True  # else Ray finds no node beside it
    assert beside["image"] == server["image"] and beside["resources"]["limits"]["memory"] == "512Mi"
    (cluster,) = of_kind(documents, "RayCluster")
    head, (workers,) = cluster["spec"]["headGroupSpec"], cluster["spec"]["workerGroupSpecs"]
    assert head["rayStartParams"] == {
        "num-cpus": "0",
        "include-dashboard": "false",
        "dashboard-host": "127.0.0.1",
    }
    assert workers["rayStartParams"] == {"node-manager-port": "6380", "resources": "'{\"rg_group_default\": 1}'"}
    for group, port in ((head, 6379), (workers, 6380)):  # else the operator asks what is not in the image
        (container,) = group["template"]["spec"]["containers"]
        assert {container[f"{kind}Probe"]["tcpSocket"]["port"] for kind in ("startup", "liveness", "readiness")} == {
            port
        }


def test_each_pod_of_ray_makes_its_own_certificate_and_only_there_is_the_authoritys_key() -> None:
    files = {"SERVER_CERT": "own.crt", "SERVER_KEY": "own.key", "CA_CERT": "authority.crt"}
    tls = {f"RAY_TLS_{name}": f"/etc/ray-tls/{file}" for name, file in files.items()} | {"RAY_USE_TLS": "1"}
    names: list[str] = []
    for _, template in pods(rendered("tls")):
        spec = template["spec"]
        (making,), (container, *_) = spec["initContainers"], spec["containers"]
        for one in spec["containers"]:
            assert tls.items() <= {given["name"]: given.get("value") for given in one["env"]}.items()
            assert {"name": "ray-tls", "mountPath": "/etc/ray-tls", "readOnly": True} in one["volumeMounts"]
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        assert volumes["ray-tls"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "1Mi"}
        authority = volumes["ray-authority"]["secret"]
        assert authority["secretName"] == "the-authority" and authority["defaultMode"] == 0o440
        assert [item["key"] for item in authority["items"]] == ["tls.crt", "tls.key"]
        assert {mount["name"]: mount.get("readOnly", False) for mount in making["volumeMounts"]} == {
            "ray-authority": True,
            "ray-tls": False,
        }
        assert making["image"] == container["image"] and making["resources"]["limits"]["memory"] == "32Mi"
        given = {one["name"]: one.get("value") for one in making["env"]}
        assert given.keys() == {"AUTHORITY", "OWN", "NAMES", "ADDRESSES"}
        names.append(given["NAMES"] or "")
    head = "prod-disync-ray-head-svc"
    assert sorted(names) == ["", "", f"{head} {head}.data {head}.data.svc"]


def test_without_tls_there_is_nothing_of_it() -> None:
    for name in ("ray", "secrets"):
        assert not re.search("TLS|authority|initContainers|openssl", json.dumps(rendered(name)))


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "existingSecret"),
    (SECRETS | {"store": {"existingSecret": ""}}, "existingSecret"),
    (SECRETS | {"replicas": 3}, "replicas"),
    (SECRETS | {"workers": [{"group": "no good", "replicas": 1}]}, "group"),
    (SECRETS | {"ingress": {"enabled": True}}, "host"),
    (SECRETS | {"ray": {"enabled": True}}, "tokenSecret"),
    (SECRETS | {"ray": RAY["ray"] | {"tls": {"enabled": True}}}, "ray.tls.enabled needs ray.tls.authoritySecret"),
    (BARE | {"api": {"replicas": 0}}, "replicas"),
]


def test_values_that_cannot_be_meant_are_refused() -> None:
    answers = tool("render", str(CHART), given=[values for values, _ in REFUSED])
    for (_, said), answer in zip(REFUSED, answers, strict=True):
        assert isinstance(answer, str) and said in answer


def test_every_value_is_explained() -> None:
    explained: set[str] = set()
    for line in (CHART / "README.md").read_text(encoding="utf-8").splitlines():
        if not line.startswith("| `"):
            continue
        names = re.findall(r"`([^`]+)`", line.split("|")[1])
        whole = names[0]
        explained |= {whole, *(whole.rsplit(".", name.count("."))[0] + name for name in names[1:] if name[0] == ".")}
        explained |= {name for name in names[1:] if name[0] != "."}
    for path in _paths(yaml(CHART / "values.yaml")):
        assert any(path == name or path.startswith(f"{name}.") for name in explained), path


def _paths(value: Any, at: str = "") -> Iterator[str]:
    if isinstance(value, dict) and value and not at.endswith(("resources", "[].data")):
        for name, inner in value.items():
            yield from _paths(inner, f"{at}.{name}" if at else name)
    elif isinstance(value, list) and value and at in ("workers", "ray.groups"):
        for inner in value:
            yield from _paths(inner, f"{at}[]")
    else:
        yield at


def test_ray_is_left_out_unless_it_is_asked_for() -> None:
    assert of_kind(rendered("secrets"), "RayCluster") == []
    assert len(pods(rendered("ray"))) == 3
    assert RAY.keys() == SECRETS.keys() | {"ray"}

"""deploy/kubernetes: valid for the cluster versions that its README names, closed, and at one with the code."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import kubernetes_validate
import pytest
import yaml

from api_service import settings as api_settings
from service_kit.time_budget import CONTAINER_STOP_GRACE
from stock_contract import REQUEST_QUEUE
from stock_service import settings as stock_settings
from tests.rules.compose_files import ROOT
from tests.rules.test_setting_names import read_by

FOLDER = ROOT / "deploy" / "kubernetes"
VERSIONS = re.findall(r"\b1\.\d\d\b", (FOLDER / "README.md").read_text(encoding="utf-8").partition("##")[0])
OF_OTHERS = {
    "kustomize.config.k8s.io/v1beta1",
    "keda.sh/v1alpha1",
    "rabbitmq.com/v1beta1",
    "postgresql.cnpg.io/v1",
}
"""Kinds that no schema here knows: those of kustomize and of the operators."""

Document = dict[str, Any]


@cache
def documents() -> tuple[tuple[str, Document], ...]:
    return tuple(_read())


def _read() -> Iterator[tuple[str, Document]]:
    for file in sorted(FOLDER.rglob("*.yaml")):
        for document in yaml.safe_load_all(file.read_text(encoding="utf-8")):
            yield f"{file.relative_to(FOLDER)}:{document['kind']}", document


def of_kind(*kinds: str) -> list[Document]:
    return [document for _, document in documents() if document["kind"] in kinds]


PODS = {each["metadata"]["name"]: each["spec"]["template"]["spec"] for each in of_kind("Deployment", "Job")}


def test_the_readme_names_the_versions() -> None:
    assert len(VERSIONS) == 2


@pytest.mark.parametrize("version", VERSIONS)
def test_every_kind_of_kubernetes_itself_is_valid(version: str) -> None:
    known = [document for _, document in documents() if document["apiVersion"] not in OF_OTHERS]
    assert len(known) > 15
    for document in known:
        kubernetes_validate.validate(document, version, strict=True)


def test_a_mistake_would_be_seen() -> None:
    service, *_ = of_kind("Service")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(service | {"spec": {"prots": []}}, VERSIONS[-1], strict=True)


def test_kustomize_finds_every_file_and_nothing_is_left_out() -> None:
    base, overlay = (FOLDER / "base", FOLDER / "overlays" / "production")
    listed = {name for each in of_kind("Kustomization") for name in each["resources"]}
    assert listed == {"../../base", "ingress.yaml"} | {
        f.name for f in base.iterdir() if f.name != "kustomization.yaml"
    }
    assert {f.name for f in overlay.iterdir()} == {"kustomization.yaml", "ingress.yaml", "configuration.yaml"}


@pytest.mark.parametrize("name", PODS)
def test_a_pod_may_do_nothing_to_the_system(name: str) -> None:
    pod = PODS[name]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert [mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")] == ["/tmp"]  # noqa: S108  in a container


@pytest.mark.parametrize(
    ("name", "read"), [("stock-api", read_by(api_settings.load)), ("stock-consumer", read_by(stock_settings.load))]
)
def test_every_setting_is_one_that_the_service_reads(name: str, read: set[str]) -> None:
    given = {key for each in of_kind("ConfigMap") if each["metadata"]["name"] == name for key in each["data"]}
    known = read | {f"{setting}_FILE" for setting in read}
    assert given <= known


def test_no_secret_stands_in_a_file() -> None:
    assert of_kind("Secret") == []
    assert not re.search(r"://[^\s/]*:[^\s/]*@", "".join(str(document) for _, document in documents()))


def test_the_readme_makes_every_secret_that_is_referred_to() -> None:
    files = "".join(file.read_text(encoding="utf-8") for file in FOLDER.rglob("*.yaml"))
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    made = dict(re.findall(r"create secret \w+ ([\w-]+)(.*?)(?=kubectl|\n\n)", readme, re.DOTALL))
    assert set(re.findall(r"secretName: ([\w-]+)", files)) == made.keys()
    for each in of_kind("ConfigMap"):
        read = set(re.findall(r"/run/secrets/stock/(\w+)", str(each["data"])))
        if read:
            assert set(re.findall(r"--from-literal=(\w+)=", made[each["metadata"]["name"]])) == read


def test_prometheus_finds_both_services_at_their_ports() -> None:
    text = (ROOT / "deploy" / "monitoring" / "prometheus.yml").read_text(encoding="utf-8")
    asked = {sd["port"] for job in yaml.safe_load(text)["scrape_configs"] for sd in job["dns_sd_configs"]}
    settings = {each["metadata"]["name"]: each["data"] for each in of_kind("ConfigMap") if "APP_ENV" in each["data"]}
    assert {int(data["METRICS_PORT"]) for data in settings.values()} == asked
    headless = [each for each in of_kind("Service") if each["spec"].get("clusterIP") == "None"]
    for service in headless:
        assert f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc" in text
        assert {port["port"] for port in service["spec"]["ports"]} == asked
    for name in ("api", "consumer"):
        (container,) = PODS[name]["containers"]
        assert {port["containerPort"] for port in container["ports"] if port["name"] == "metrics"} == asked
    assert len(headless) == 2


def test_the_probes_ask_what_the_services_answer() -> None:
    (api,), (consumer,) = PODS["api"]["containers"], PODS["consumer"]["containers"]
    asked = {probe: api[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert asked == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    assert "livenessProbe" not in consumer
    assert consumer["readinessProbe"]["exec"]["command"][-1] == "/tmp/worker.heartbeat"  # noqa: S108  in a container


def test_pods_have_time_to_stop_and_none_goes_before_another_is_ready() -> None:
    pause = PODS["api"]["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert PODS["api"]["terminationGracePeriodSeconds"] >= pause + CONTAINER_STOP_GRACE
    assert PODS["consumer"]["terminationGracePeriodSeconds"] >= CONTAINER_STOP_GRACE
    for deployment in of_kind("Deployment"):
        assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_our_pods_are_closed_but_for_what_is_named() -> None:
    policies = {each["metadata"]["name"]: each["spec"] for each in of_kind("NetworkPolicy")}
    deny = policies["ours-default-deny"]
    assert deny == {
        "podSelector": {"matchLabels": {"app.kubernetes.io/part-of": "stock-quotes"}},
        "policyTypes": ["Ingress", "Egress"],
    }
    labels = [each["spec"]["template"]["metadata"]["labels"] for each in of_kind("Deployment", "Job")]
    assert all(label["app.kubernetes.io/part-of"] == "stock-quotes" for label in labels)


def test_the_consumers_are_scaled_by_the_queue_that_they_serve() -> None:
    (scaled,) = of_kind("ScaledObject")
    assert scaled["spec"]["triggers"][0]["metadata"]["queueName"] == REQUEST_QUEUE
    names = {each["metadata"]["name"] for each in of_kind("Deployment")}
    targets = {each["spec"]["scaleTargetRef"]["name"] for each in of_kind("ScaledObject", "HorizontalPodAutoscaler")}
    assert targets == names

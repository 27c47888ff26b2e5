"""Manifests, compose file and Dockerfile: what they must hold, and that gvideo understands the commands in them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from gvideo.cli import make_parser
from gvideo.commands.encoding.batch_list import jobs_of

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"

TEXT = {"type": "string", "minLength": 1}
COUNT = {"type": "integer", "minimum": 0}
RESOURCES = {
    "type": "object",
    "required": ["requests", "limits"],
    "additionalProperties": {
        "type": "object",
        "patternProperties": {"^(cpu|memory)$": {"type": "string", "pattern": r"^\d+(\.\d+)?(m|Ki|Mi|Gi)?$"}},
        "additionalProperties": False,
    },
}
CONTAINER = {
    "type": "object",
    "required": ["name", "image", "resources"],
    "properties": {
        "name": TEXT, "image": TEXT, "resources": RESOURCES,
        "args": {"type": "array", "items": TEXT}, "command": {"type": "array", "items": TEXT},
        "envFrom": {"type": "array", "items": {"required": ["secretRef"]}},
        "ports": {"type": "array", "items": {"required": ["containerPort"], "properties": {"containerPort": COUNT}}},
        "volumeMounts": {"type": "array", "items": {"required": ["name", "mountPath"]}},
    },
    "additionalProperties": False,
}  # fmt: skip
POD = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "required": ["containers"],
            "properties": {
                "containers": {"type": "array", "minItems": 1, "items": CONTAINER},
                "restartPolicy": {"enum": ["Never", "OnFailure"]},
                "volumes": {"type": "array", "items": {"required": ["name"]}},
            },
            "additionalProperties": False,
        }
    },
    "additionalProperties": False,
}
GROUP = {"rayStartParams": {"type": "object", "additionalProperties": TEXT}, "template": POD}
#: Of the fields that the manifests use, as Kubernetes' API (batch/v1, v1) and KubeRay's (ray.io/v1) have them.
SPECS: dict[tuple[str, str], dict[str, Any]] = {
    ("batch/v1", "Job"): {
        "required": ["template"],
        "properties": {
            "completionMode": {"enum": ["Indexed"]}, "completions": COUNT, "parallelism": COUNT,
            "backoffLimitPerIndex": COUNT, "maxFailedIndexes": COUNT, "template": POD,
        },
    },
    ("v1", "PersistentVolumeClaim"): {
        "required": ["accessModes", "resources"],
        "properties": {
            "accessModes": {"items": {"enum": ["ReadWriteOnce", "ReadWriteMany"]}},
            "resources": {"required": ["requests"]},
        },
    },
    ("ray.io/v1", "RayJob"): {
        "required": ["entrypoint", "rayClusterSpec"],
        "properties": {
            "entrypoint": TEXT, "backoffLimit": COUNT, "ttlSecondsAfterFinished": COUNT,
            "shutdownAfterJobFinishes": {"type": "boolean"},
            "rayClusterSpec": {
                "required": ["rayVersion", "headGroupSpec", "workerGroupSpecs"],
                "properties": {
                    "rayVersion": TEXT,
                    "headGroupSpec": {
                        "required": ["rayStartParams", "template"], "properties": GROUP,
                        "additionalProperties": False,
                    },
                    "workerGroupSpecs": {
                        "type": "array", "minItems": 1,
                        "items": {
                            "required": ["groupName", "replicas", "rayStartParams", "template"],
                            "properties": {
                                "groupName": TEXT, "replicas": COUNT, "minReplicas": COUNT, "maxReplicas": COUNT,
                                **GROUP,
                            },
                            "additionalProperties": False,
                        },
                    },
                },
                "additionalProperties": False,
            },
        },
    },
}  # fmt: skip


def manifests() -> list[dict[str, Any]]:
    return [
        document
        for path in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text())
    ]


def found(kind: str) -> dict[str, Any]:
    return next(m["spec"] for m in manifests() if m["kind"] == kind)


def understood(words: list[str]) -> Any:
    """What gvideo makes of a command line; it exits where it does not understand one."""
    return make_parser().parse_args(words)


@pytest.mark.parametrize("manifest", manifests(), ids=lambda m: m["kind"])
def test_manifests_have_the_fields_of_their_kind(manifest):
    assert set(manifest) == {"apiVersion", "kind", "metadata", "spec"}
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", manifest["metadata"]["name"])
    spec = SPECS[manifest["apiVersion"], manifest["kind"]]
    jsonschema.validate(manifest["spec"], {"type": "object", "additionalProperties": False, **spec})


def test_every_index_encodes_its_share():
    job = found("Job")
    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    assert {m["name"] for m in container["volumeMounts"]} == {v["name"] for v in pod["volumes"]}
    claims = {v["persistentVolumeClaim"]["claimName"] for v in pod["volumes"] if "persistentVolumeClaim" in v}
    assert claims == {m["metadata"]["name"] for m in manifests() if m["kind"] == "PersistentVolumeClaim"}
    shares = []
    for index in range(job["completions"]):
        arguments = understood([word.replace("$(JOB_COMPLETION_INDEX)", str(index)) for word in container["args"]])
        shares.append(arguments.shard)
        understood(["encode", "a.mp4", "-o", "a.gsv", *shlex.split(arguments.options)])
    assert shares == [f"{k}/{job['completions']}" for k in range(job["completions"])]
    assert Path(arguments.jobs).parent.as_posix() in {m["mountPath"] for m in container["volumeMounts"]}


def test_a_ray_job_encodes_on_its_own_cluster():
    job = found("RayJob")
    program, *words = shlex.split(job["entrypoint"])
    arguments = understood(words)
    assert (program, arguments.command, arguments.cluster) == ("gvideo", "encode", "auto")
    for group in job["rayClusterSpec"]["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


def test_the_compose_file_names_its_services():
    content = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = content["services"]
    assert set(services) == {"head", "worker", "encode"}
    for service in services.values():
        assert {"image", "command"} <= set(service)
        assert set(service.get("depends_on", ())) <= set(services)
        assert (DEPLOY / service["build"]["context"] / "Dockerfile").is_file()
        declared = re.findall(r"^ARG (\w+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
        assert set(service["build"]["args"]) <= set(declared)
    arguments = understood(services["encode"]["command"])
    host = arguments.cluster.removeprefix("ray://").partition(":")[0]
    assert host in services
    assert "--head" in services["head"]["command"]
    assert "--address=head:6379" in services["worker"]["command"]


def test_the_list_of_the_example_is_one():
    assert [job.source for job in jobs_of(str(DEPLOY / "jobs.yaml"), None, "gsv", [])] == [
        "s3://films/in/a.mp4", "s3://films/in/b.mp4",
    ]  # fmt: skip


def test_commands_that_the_texts_name_are_understood(tmp_path):
    text = (DEPLOY / "README.md").read_text()
    commands = re.findall(r"^    gvideo ([^#\n]+)", text, re.MULTILINE)
    assert len(commands) >= 2
    for command in commands:
        understood(shlex.split(command))

"""Checks recipes/launch/*.yaml by the schemas of those who read them.

    pip install skypilot jsonschema pyyaml
    curl -LO https://raw.githubusercontent.com/kubeflow/trainer/release-1.9/manifests/base/crds/kubeflow.org_pytorchjobs.yaml
    python scripts/launch-files.py kubeflow.org_pytorchjobs.yaml
"""

import importlib.metadata
import sys
from pathlib import Path

import jsonschema
import yaml
from sky import Task
from sky.utils.schemas import get_task_schema

LAUNCH = Path(__file__).parents[1] / "recipes" / "launch"


def strict(schema):
    """As the API server with strict validation of fields: an unknown key is an error."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    made = {key: strict(value) for key, value in schema.items()}
    is_open = "additionalProperties" in schema or "x-kubernetes-preserve-unknown-fields" in schema
    if schema.get("type") == "object" and "properties" in schema and not is_open:
        made["additionalProperties"] = False
    return made


def refuses(check, content) -> bool:
    try:
        check(content)
    except jsonschema.ValidationError:
        return True
    return False


def main(definition: Path) -> None:
    sky = yaml.safe_load((LAUNCH / "skypilot.yaml").read_text())
    by_sky = lambda content: jsonschema.validate(content, get_task_schema())  # noqa: E731
    by_sky(sky)
    assert refuses(by_sky, {**sky, "nodes": 2})
    Task.from_yaml(str(LAUNCH / "skypilot.yaml"))
    print(f"skypilot.yaml: a task of SkyPilot {importlib.metadata.version('skypilot')}")

    version = yaml.safe_load(definition.read_text())["spec"]["versions"][0]
    schema = strict(version["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"type": "object"}
    job = yaml.safe_load((LAUNCH / "pytorchjob.yaml").read_text())
    by_kubernetes = lambda content: jsonschema.validate(content, schema)  # noqa: E731
    by_kubernetes(job)
    assert refuses(by_kubernetes, {**job, "spec": {**job["spec"], "replicas": 2}})
    print(f"pytorchjob.yaml: a PyTorchJob of kubeflow.org/{version['name']}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

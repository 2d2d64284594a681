"""Checks JSON against run-spec.schema.json: the parts of JSON Schema that it uses, and no others."""

import json
import re
from pathlib import Path

from .faults import SpecFault

_TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
}

#: Keywords that are checked below, and those that say nothing of a value.
_KNOWN = {
    *("type", "const", "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "pattern", "minLength"),
    *("properties", "required", "additionalProperties", "propertyNames", "items", "minItems", "anyOf", "oneOf"),
    *("$schema", "description", "title", "default"),
}


def run_spec_schema() -> dict:
    return json.loads((Path(__file__).parent / "run-spec.schema.json").read_text())


def check(value: object, schema: dict, key: str = "run.json") -> None:
    """Raises `spec/invalid` with the key of the first value that the schema does not allow."""
    unknown = next((name for name in schema if name not in _KNOWN), None)
    if unknown is not None:
        raise NotImplementedError(f"run-spec.schema.json: keyword {unknown} at {key}")
    for branch in ("anyOf", "oneOf"):
        if branch in schema:
            _check_branches(value, schema[branch], key)
    if "const" in schema and value != schema["const"]:
        raise _fault(key, json.dumps(schema["const"]), value)
    if "enum" in schema and value not in schema["enum"]:
        raise _fault(key, f"one of {', '.join(map(str, schema['enum']))}", value)
    if "type" in schema and not _has_type(value, schema["type"]):
        raise _fault(key, f"{'an' if schema['type'][0] in 'aio' else 'a'} {schema['type']}", value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        _check_number(value, schema, key)
    if isinstance(value, str):
        if "pattern" in schema and re.search(schema["pattern"], value) is None:
            raise _fault(key, f"text of the form {schema['pattern']}", value)
        if len(value) < schema.get("minLength", 0):
            raise _fault(key, f"at least {schema['minLength']} characters", value)
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            raise _fault(key, f"at least {schema['minItems']} items", value)
        for i, item in enumerate(value):
            check(item, schema.get("items", {}), f"{key}[{i}]")
    if isinstance(value, dict):
        _check_object(value, schema, key)


def _check_branches(value: object, branches: list[dict], key: str) -> None:
    """The branch whose `task` is the value's, else any that fits; of several that do not, the last one's fault."""
    if isinstance(value, dict) and "task" in value:
        tasks = {branch["properties"]["task"]["const"]: branch for branch in branches if "task" in branch.get("properties", {})}
        if tasks:
            if value["task"] not in tasks:
                raise _fault(f"{key}.task", f"one of {', '.join(tasks)}", value["task"])
            return check(value, tasks[value["task"]], key)
    fault = None
    for branch in branches:
        try:
            return check(value, branch, key)
        except SpecFault as caught:
            fault = caught
    raise fault


def _check_number(value: float, schema: dict, key: str) -> None:
    for keyword, words, holds in (
        ("minimum", "at least", lambda limit: value >= limit),
        ("maximum", "at most", lambda limit: value <= limit),
        ("exclusiveMinimum", "more than", lambda limit: value > limit),
        ("exclusiveMaximum", "less than", lambda limit: value < limit),
    ):
        if keyword in schema and not holds(schema[keyword]):
            raise _fault(key, f"{words} {schema[keyword]}", value)


def _check_object(value: dict, schema: dict, key: str) -> None:
    properties = schema.get("properties", {})
    for name in schema.get("required", []):
        if name not in value:
            raise SpecFault(f"{key}: expected the key {name}, got none", code="spec/invalid", hint=HINT)
    for name, item in value.items():
        if "propertyNames" in schema:
            check(name, schema["propertyNames"], f"{key}: name of a key")
        if name in properties:
            check(item, properties[name], f"{key}.{name}")
            continue
        additional = schema.get("additionalProperties", {})
        if additional is False:
            raise SpecFault(
                f"{key}: expected the keys {', '.join(properties)}, got {name}, which is unknown", code="spec/invalid", hint=HINT
            )
        if isinstance(additional, dict):
            check(item, additional, f"{key}.{name}")


def _has_type(value: object, name: str) -> bool:
    if name == "integer":
        return not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, _TYPES[name])


HINT = "Let `nextquill train` write the folder again, with the version of NextQuill that this package belongs to."


def _fault(key: str, expected: str, got: object) -> SpecFault:
    return SpecFault(f"{key}: expected {expected}, got {json.dumps(got)[:80]}", code="spec/invalid", hint=HINT)

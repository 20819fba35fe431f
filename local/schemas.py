"""Validates what the function sends and answers against the JSON Schemas in schemas/."""

import datetime
import functools
import json
from collections.abc import Iterator
from typing import Any

import jsonschema

from local.environment import ROOT

SCHEMAS = ROOT / "schemas"


FORMATS = jsonschema.FormatChecker(formats=())


@FORMATS.checks("date-time", raises=ValueError)
def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or bool(datetime.datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ"))


class SchemaViolation(Exception):
    """A document does not match its schema."""


def validate(kind: str, document: Any) -> Any:
    """Returns the document if it matches `schemas/<kind>.schema.json`, such as a notification or an answer."""
    if error := jsonschema.exceptions.best_match(_validator(kind).iter_errors(document)):
        raise SchemaViolation(f"{kind}: {error.json_path}: {error.message}")
    return document


@functools.cache
def _validator(kind: str) -> Any:
    schema = json.loads((SCHEMAS / f"{kind}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(_without_unknown_fields(schema), format_checker=FORMATS)


def _without_unknown_fields(schema: Any, parts: frozenset[str] | None = None) -> Any:
    """Returns a stricter schema. Subscribers must accept unknown fields, but here each field must be in the schema.

    A definition that is a part of an object does not know the other fields of the object. The object knows all.
    """
    parts = frozenset(_parts_of_objects(schema)) if parts is None else parts
    if isinstance(schema, list):
        return [_without_unknown_fields(each, parts) for each in schema]
    if not isinstance(schema, dict):
        return schema
    stricter = {name: _without_unknown_fields(value, parts) for name, value in schema.items()}
    for name, definition in stricter.get("$defs", {}).items():
        if f"#/$defs/{name}" in parts:
            definition.pop("unevaluatedProperties", None)
    if schema.get("type") == "object" and "properties" in schema:
        stricter.setdefault("unevaluatedProperties", False)
    return stricter


def _parts_of_objects(schema: Any) -> Iterator[str]:
    """Returns the references to the definitions that objects with fields of their own consist of."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield from (each["$ref"] for each in schema.get("anyOf", []) if "$ref" in each)
        for value in schema.values():
            yield from _parts_of_objects(value)
    elif isinstance(schema, list):
        for each in schema:
            yield from _parts_of_objects(each)

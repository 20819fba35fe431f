"""Validates what the function sends and answers against the JSON Schemas in schemas/."""

import datetime
import functools
import json
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
    """Returns the document if it matches `schemas/<kind>.schema.json`: a notification, an answer or an error."""
    if error := jsonschema.exceptions.best_match(_validator(kind).iter_errors(document)):
        raise SchemaViolation(f"{kind}: {error.json_path}: {error.message}")
    return document


@functools.cache
def _validator(kind: str) -> Any:
    schema = json.loads((SCHEMAS / f"{kind}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(_without_unknown_fields(schema), format_checker=FORMATS)


def _without_unknown_fields(schema: Any) -> Any:
    """Returns a stricter schema. Subscribers must accept unknown fields, but here each field must be in the schema."""
    if isinstance(schema, list):
        return [_without_unknown_fields(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    stricter = {name: _without_unknown_fields(value) for name, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        stricter.setdefault("unevaluatedProperties", False)
    return stricter

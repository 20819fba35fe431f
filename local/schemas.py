"""Validates what the function sends and answers against the JSON Schemas in schemas/."""

import functools
import json
from typing import Any

import jsonschema

from local.environment import ROOT

SCHEMAS = ROOT / "schemas"


class SchemaViolation(Exception):
    """A document does not match its schema. Not an AssertionError: no `pytest.raises` may swallow it by accident."""


def validate(kind: str, document: Any) -> Any:
    """Returns the document if it matches `schemas/<kind>.schema.json`: a notification, an answer or an error."""
    validator = _validator(kind)
    if validator and (error := jsonschema.exceptions.best_match(validator.iter_errors(document))):
        raise SchemaViolation(f"{kind}: {error.json_path}: {error.message}")
    return document


@functools.cache
def _validator(kind: str) -> Any:
    path = SCHEMAS / f"{kind}.schema.json"
    if not path.exists():
        return None
    schema = json.loads(path.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)

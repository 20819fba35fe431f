"""A CloudFormation template with these parameters: what CloudFormation would make of it, without a cloud.

Knows the functions that the templates here use, and no others. What only a deployed stack knows stays as it is written.
"""

from functools import cached_property
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse

PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/gatewatch/0a1b2c",
    "AWS::StackName": "gatewatch",
}
NOTHING = object()
"""`AWS::NoValue`."""


class Template:
    """A template, resolved."""

    def __init__(self, file: Path, **parameters: str) -> None:
        self.source = yaml_parse(file.read_text(encoding="utf-8"))
        defaults = {name: str(each.get("Default", "")) for name, each in self.source["Parameters"].items()}
        assert parameters.keys() <= defaults.keys(), "the template has these parameters"
        self.values = PSEUDO | defaults | parameters

    @cached_property
    def resources(self) -> dict[str, Any]:
        """The resources that exist with these parameters."""
        return self._those_that_exist("Resources")

    @cached_property
    def outputs(self) -> dict[str, Any]:
        """The outputs that exist with these parameters."""
        return self._those_that_exist("Outputs")

    def assertions(self) -> list[bool]:
        """Returns what the rules of the template say about these parameters."""
        rules = [rule for rule in self.source["Rules"].values() if self.resolve(rule["RuleCondition"])]
        return [self.resolve(assertion["Assert"]) for rule in rules for assertion in rule["Assertions"]]

    def properties(self, name: str) -> Any:
        """Returns the properties of a resource."""
        return self.resources[name]["Properties"]

    def statements(self, role: str) -> dict[str, Any]:
        """Returns what a role may do, by the names of the statements."""
        policies = self.properties(role)["Policies"]
        return {each["Sid"]: each for policy in policies for each in policy["PolicyDocument"]["Statement"]}

    def holds(self, condition: str) -> bool:
        """Returns whether a condition of the template holds."""
        return bool(self.resolve(self.source["Conditions"][condition]))

    def resolve(self, value: Any) -> Any:
        """Returns a value with its functions applied."""
        if isinstance(value, list):
            return [each for each in map(self.resolve, value) if each is not NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref" or name == "Condition" or name.startswith("Fn::"):
                return self._function(name, argument)
        entries = {key: self.resolve(each) for key, each in value.items()}
        return {key: each for key, each in entries.items() if each is not NOTHING}

    def _function(self, name: str, argument: Any) -> Any:
        match name:
            case "Ref":
                return NOTHING if argument == "AWS::NoValue" else self.values.get(argument) or self._of_stack(argument)
            case "Condition":
                return self.holds(argument) if isinstance(argument, str) else {name: self.resolve(argument)}
            case "Fn::If":
                return self.resolve(argument[1 if self.holds(argument[0]) else 2])
            case "Fn::GetAtt":
                resource = argument.split(".")[0] if isinstance(argument, str) else argument[0]
                self._of_stack(resource)
                return {name: argument}
            case "Fn::Sub":
                return self._substitute(*(argument if isinstance(argument, list) else [argument, {}]))
        values = self.resolve(argument)
        match name:
            case "Fn::Not":
                return not values[0]
            case "Fn::And":
                return all(values)
            case "Fn::Or":
                return any(values)
            case "Fn::Equals":
                return values[0] == values[1]
            case "Fn::Split":
                return values[1].split(values[0])
            case "Fn::Join":
                return values[0].join(values[1])
            case "Fn::Select":
                return values[1][int(values[0])]
        raise AssertionError(f"{name} is not known here")

    def _substitute(self, text: str, names: dict[str, Any]) -> Any:
        for name, value in (self.values | self.resolve(names)).items():
            if isinstance(value, str):
                text = text.replace(f"${{{name}}}", value)
        return {"Fn::Sub": text} if "${" in text else text

    def _of_stack(self, name: str) -> Any:
        if name in self.values:
            return self.values[name]  # an empty text
        condition = self.source["Resources"][name].get("Condition")
        assert condition is None or self.holds(condition), f"{name} is used, but does not exist"
        return {"Ref": name}

    def _those_that_exist(self, section: str) -> dict[str, Any]:
        existing = {
            name: each
            for name, each in self.source.get(section, {}).items()
            if "Condition" not in each or self.holds(each["Condition"])
        }
        return {
            name: self.resolve({key: part for key, part in each.items() if key != "Condition"})
            for name, each in existing.items()
        }

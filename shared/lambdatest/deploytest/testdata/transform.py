"""Makes of a SAM template what CloudFormation makes of it, with SAM's own translator.

    transform.py <template.yaml >transformed.json

There the rights of roles name resources by texts, as they do once they are deployed;
checkov leaves out a policy that it cannot read.
"""
import json
import os
import sys

import yaml
from samtranslator.translator.transform import transform

REGION = "us-east-1"


class NoPolicies:
    """SAM asks for managed policies by name, of which the template uses none."""

    def load(self):
        return {}


def long_form(loader, tag, node):
    """!Ref X is {"Ref": "X"}, !GetAtt X.Arn is {"Fn::GetAtt": ["X", "Arn"]}."""
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if tag == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {tag if tag in ("Ref", "Condition") else "Fn::" + tag: value}


class Loader(yaml.SafeLoader):
    pass


Loader.add_multi_constructor("!", long_form)


def transformed(text):
    """text is YAML or JSON; what is no SAM template stays as it is."""
    template = yaml.load(text, Loader=Loader)
    if template.get("Transform") != "AWS::Serverless-2016-10-31":
        return template
    for parameter in template.get("Parameters", {}).values():
        # Numbers are text to CloudFormation, with which it looks into a mapping. moto would count with them.
        parameter["Type"] = parameter["Type"].replace("Number", "String")
        parameter["Default"] = str(parameter.get("Default", ""))
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)  # SAM wants one
    return transform(template, {"AWS::Region": REGION}, NoPolicies())


def resolved(value):
    """Puts a text for whatever refers to something; what has a condition is there."""
    if isinstance(value, list):
        return [v for v in map(resolved, value) if v != "AWS::NoValue"]
    if not isinstance(value, dict):
        return value
    if "Ref" in value:
        return value["Ref"]
    if "Fn::GetAtt" in value:
        return "arn:aws:any:us-east-1:123456789012:" + value["Fn::GetAtt"][0]
    if "Fn::Sub" in value:
        text = value["Fn::Sub"] if isinstance(value["Fn::Sub"], str) else value["Fn::Sub"][0]
        return text.replace("${Table.Arn}", "arn:aws:dynamodb:us-east-1:123456789012:table/t").replace("${", "").replace("}", "")
    if "Fn::If" in value:
        return resolved(value["Fn::If"][1])
    return {key: resolved(v) for key, v in value.items()}


if __name__ == "__main__":
    out = transformed(sys.stdin.read())
    out["Resources"] = {name: resolved(r) if r["Type"].startswith("AWS::IAM::") else r for name, r in out["Resources"].items()}
    json.dump(out, sys.stdout, default=str, indent=1)

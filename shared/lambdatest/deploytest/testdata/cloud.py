"""Stands in for an AWS account: moto's server, which also transforms SAM templates.

    cloud.py PORT

moto keeps stacks, change sets, roles, functions, tables and queues. What it cannot
make of a template is made here in name only, so that it has a physical id and
attributes, and is counted. A template that SAM's own translator refuses is refused.
"""
import sys

from moto import server
from moto.cloudformation import models
from moto.core.common_models import CloudFormationModel
from transform import transformed

# What a template may name of a resource, by type. {0} is the physical id.
ATTRIBUTES = {
    "AWS::ApiGatewayV2::Api": {"ApiId": "{0}", "ApiEndpoint": "https://{0}.execute-api.us-east-1.amazonaws.com"},
    "AWS::CloudFront::Distribution": {"DomainName": "{0}.cloudfront.net"},
    "AWS::CloudFront::Function": {"FunctionMetadata.FunctionARN": "arn:aws:cloudfront::123456789012:function/{0}"},
    "AWS::Lambda::Url": {"FunctionUrl": "https://{0}.lambda-url.us-east-1.on.aws/"},
    "AWS::SecretsManager::Secret": {"Id": "arn:aws:secretsmanager:us-east-1:123456789012:secret:{0}"},
}
BY_NAME = [
    "AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Deployment", "AWS::ApiGatewayV2::Integration", "AWS::ApiGatewayV2::Route",
    "AWS::ApiGatewayV2::RouteResponse", "AWS::ApiGatewayV2::Stage", "AWS::CloudFront::Distribution", "AWS::CloudFront::Function",
    "AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Url", "AWS::Logs::MetricFilter", "AWS::S3::BucketPolicy", "AWS::Scheduler::Schedule", "AWS::SecretsManager::Secret",
]


class Named:
    """A resource that has a name and nothing else."""

    kind = ""

    def __init__(self, name):
        self.name = name

    @property
    def physical_resource_id(self):
        return ATTRIBUTES.get(self.kind, {}).get("Id", "{0}").format(self.name)

    @staticmethod
    def cloudformation_name_type():
        return ""

    @classmethod
    def has_cfn_attr(cls, attr):
        return attr in ATTRIBUTES.get(cls.kind, {})

    def get_cfn_attribute(self, attr):
        return ATTRIBUTES[self.kind][attr].format(self.name)

    @classmethod
    def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **_):
        return cls(resource_name.lower())

    @classmethod
    def update_from_cloudformation_json(cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name):
        return original_resource

    @classmethod
    def delete_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name):
        pass


def named(kind):
    """Makes the class of a type; moto finds it among the subclasses of its model."""
    # moto wants to know of which service's package a model is.
    body = {"__module__": "moto.named", "kind": kind, "cloudformation_type": staticmethod(lambda: kind)}
    return type(kind.replace("::", ""), (Named, CloudFormationModel), body)


def parse(self):
    self.template_dict = transformed(self.template)


def apply(self):
    """Applies a change set, after which moto forgets the stack's outputs and tags."""
    stack = self.stack
    stack.resource_map.update(self.template_dict, self.parameters)
    stack.template_dict, stack.tags = self.template_dict, self.tags or stack.tags
    stack.output_map = stack._create_output_map()


def serve(port):
    supported = {m.cloudformation_type() for m in CloudFormationModel.__subclasses__()}
    classes = [named(kind) for kind in BY_NAME if kind not in supported]  # kept, for moto finds what is alive
    assert classes
    models.Stack._parse_template = parse
    models.ChangeSet._parse_template = parse
    models.Stack.parse_template = staticmethod(transformed)
    models.ChangeSet.apply = apply
    server.main(["-H", "localhost", "-p", port])


if __name__ == "__main__":
    serve(sys.argv[1])

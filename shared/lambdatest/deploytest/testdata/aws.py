"""Asks a service as the AWS CLI would, and prints the answer as JSON.

    aws.py SERVICE OPERATION --an-argument VALUE ...

boto3 checks each argument against the service's description.
"""
import json
import sys

import boto3

service, operation, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]
names = ["".join(word.title() for word in name.strip("-").split("-")) for name in arguments[::2]]
call = getattr(boto3.client(service), operation.replace("-", "_"))
answer = call(**dict(zip(names, arguments[1::2], strict=True)))
answer.pop("ResponseMetadata")
print(json.dumps(answer, default=str))

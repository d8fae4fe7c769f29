package main

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"

	"parley/shared/awscall"
)

// stack is a deployed stack.
type stack struct {
	call *awscall.Client
	name string
}

// outputs returns the stack's outputs by name. CloudFormation speaks AWS's query
// protocol: a form is answered by XML.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
func (s stack) outputs(ctx context.Context) (map[string]string, error) {
	form := url.Values{"Action": {"DescribeStacks"}, "Version": {"2010-05-15"}, "StackName": {s.name}}
	answer, err := s.call.Do(ctx, awscall.Request{
		Service: "CloudFormation",
		Path:    "/",
		Header:  map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
		Body:    []byte(form.Encode()),
	})
	if err != nil {
		return nil, fmt.Errorf("look up the stack %s, which make deploy creates: %w", s.name, err)
	}
	var described struct {
		Outputs []struct {
			Key   string `xml:"OutputKey"`
			Value string `xml:"OutputValue"`
		} `xml:"DescribeStacksResult>Stacks>member>Outputs>member"`
	}
	if err := xml.Unmarshal(answer, &described); err != nil {
		return nil, fmt.Errorf("read the stack %s: %w", s.name, err)
	}
	outputs := map[string]string{}
	for _, o := range described.Outputs {
		outputs[o.Key] = o.Value
	}
	if outputs["OperatorFunctionName"] == "" {
		return nil, fmt.Errorf("the stack %s names no operator function: is it Parley's, and complete?", s.name)
	}
	return outputs, nil
}

// invoke has a function handle an event, once: a command that is sent again could
// make a second key. It returns what the function answers.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
func (s stack) invoke(ctx context.Context, function string, event []byte) (json.RawMessage, error) {
	answer, err := s.call.Once(ctx, awscall.Request{
		Service: "Lambda",
		Path:    "/2015-03-31/functions/" + url.PathEscape(function) + "/invocations",
		Header:  map[string]string{"Content-Type": "application/json", "X-Amz-Invocation-Type": "RequestResponse"},
		Body:    event,
	})
	if err != nil {
		return nil, fmt.Errorf("invoke %s: %w", function, err)
	}
	// An error of the function is an answer too.
	var failed struct {
		Message string `json:"errorMessage"`
	}
	if json.Unmarshal(answer, &failed) == nil && failed.Message != "" {
		return nil, errors.New(failed.Message)
	}
	return answer, nil
}

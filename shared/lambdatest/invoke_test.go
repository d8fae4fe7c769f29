package lambdatest_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"parley/shared/lambdatest"
)

func TestInvoke(t *testing.T) {
	f := start(t, "event", lambdatest.Config{Name: "respond", Timeout: 5 * time.Second})
	out, err := f.Invoke(t.Context(), []byte(`{"do":"nothing"}`))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Did, Function, ARN string
		Left               time.Duration
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if got.Did != "nothing" || got.Function != "respond" || !strings.HasSuffix(got.ARN, ":function:respond") || got.Left <= 4*time.Second || got.Left > 5*time.Second {
		t.Errorf("the function saw %+v", got)
	}
}

func TestInvokeErrors(t *testing.T) {
	f := start(t, "event", lambdatest.Config{})
	tests := []struct{ payload, kind, message string }{
		{`{"do":"fail"}`, "errorString", "as told"},
		{`{"do":"panic"}`, "string", "as told"},
		{`[]`, "UnmarshalTypeError", "array"},
		{`{"do":"long"}`, "Function.ResponseSizeTooLarge", "6291456"},
		{`{"do":"` + strings.Repeat("a", 7<<20) + `"}`, "RequestEntityTooLargeException", "6291456"},
	}
	for _, test := range tests {
		_, err := f.Invoke(t.Context(), []byte(test.payload))
		var e *lambdatest.Error
		if !errors.As(err, &e) || e.Type != test.kind || !strings.Contains(e.Message, test.message) {
			t.Errorf("Invoke(%.20s) = %v, want %s with %q", test.payload, err, test.kind, test.message)
		}
	}
	if _, err := f.Invoke(t.Context(), []byte(`{"do":"nothing"}`)); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestInvokeNotWaitedFor(t *testing.T) {
	g := newGate(t)
	f := start(t, "event", lambdatest.Config{Env: g.env()})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		g.await(t)
		cancel()
	}()
	if _, err := f.Invoke(ctx, []byte(`{"do":"wait"}`)); !errors.Is(err, context.Canceled) {
		t.Errorf("Invoke = %v, want %v", err, context.Canceled)
	}
	g.pass(t) // the function is still there
}

// TestInvokeAPI talks to it through the SDK, as a function does that invokes another.
func TestInvokeAPI(t *testing.T) {
	g := newGate(t)
	f := start(t, "event", lambdatest.Config{Name: "respond", Env: g.env(), MaxInstances: 1})
	client := lambda.New(lambda.Options{
		BaseEndpoint: aws.String(serve(t, lambdatest.InvokeAPI(f))),
		Region:       "us-east-1",
		Credentials:  credentials.NewStaticCredentialsProvider("lambdatest", "lambdatest", ""),
		Retryer:      aws.NopRetryer{},
	})
	invoke := func(name string, kind types.InvocationType, payload string) (*lambda.InvokeOutput, error) {
		return client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &name, InvocationType: kind, Payload: []byte(payload)})
	}

	for range 2 { // the second waits until the only process is free
		out, err := invoke("respond", types.InvocationTypeEvent, `{"do":"wait"}`)
		if err != nil || out.StatusCode != 202 {
			t.Fatalf("event: %+v, %v; want 202", out, err)
		}
	}
	g.await(t)
	var throttled *types.TooManyRequestsException
	if _, err := invoke("respond", types.InvocationTypeRequestResponse, `{}`); !errors.As(err, &throttled) {
		t.Errorf("while it is busy: %v, want it throttled", err)
	}
	g.pass(t)
	g.await(t)
	g.pass(t)

	out, err := invoke("arn:aws:lambda:us-east-1:123456789012:function:respond", types.InvocationTypeEvent, `{"do":"fail"}`)
	if err != nil || out.StatusCode != 202 {
		t.Fatalf("event by ARN: %+v, %v; want 202", out, err)
	}
	until(t, "the failure is in the log", func() bool {
		return strings.Contains(f.Log(), "asynchronous invocation of respond: errorString: as told")
	})

	until(t, "the process is free", func() bool {
		out, err = invoke("respond", types.InvocationTypeRequestResponse, `{"do":"nothing"}`)
		return err == nil
	})
	if out.StatusCode != 200 || !strings.Contains(string(out.Payload), `"Did":"nothing"`) || out.FunctionError != nil {
		t.Errorf("call: %+v", out)
	}
	until(t, "the process is free", func() bool {
		out, err = invoke("respond", types.InvocationTypeRequestResponse, `{"do":"fail"}`)
		return err == nil
	})
	if aws.ToString(out.FunctionError) != "Unhandled" || !strings.Contains(string(out.Payload), `"errorMessage":"as told"`) {
		t.Errorf("call that fails: %+v %s", out, out.Payload)
	}
	if out, err := invoke("respond", types.InvocationTypeDryRun, `{}`); err != nil || out.StatusCode != 204 {
		t.Errorf("dry run: %+v, %v", out, err)
	}

	var unknown *types.ResourceNotFoundException
	if _, err := invoke("nobody", types.InvocationTypeEvent, `{}`); !errors.As(err, &unknown) {
		t.Errorf("unknown function: %v", err)
	}
	var tooLong *types.RequestTooLargeException
	if _, err := invoke("respond", types.InvocationTypeEvent, `"`+strings.Repeat("a", 1<<20)+`"`); !errors.As(err, &tooLong) {
		t.Errorf("1 MB event: %v", err)
	}
}

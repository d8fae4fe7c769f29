package awstest_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"parley/shared/awstest"
)

func TestS3KeepsBucketsApart(t *testing.T) {
	client, one := awstest.S3(t)
	_, two := awstest.S3(t)
	if one == two {
		t.Fatalf("two buckets are called %s", one)
	}
	if _, err := client.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: &two}); err != nil {
		t.Errorf("the second bucket is not on the first one's server: %v", err)
	}
}

func TestS3ChecksSignatures(t *testing.T) {
	client, name := awstest.S3(t)
	known := client.Options()
	// Not the same client with other credentials: its signer keeps the key that it derived from the right ones.
	forger := s3.New(s3.Options{
		Region:       known.Region,
		BaseEndpoint: known.BaseEndpoint,
		UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
			c, err := known.Credentials.Retrieve(ctx)
			c.SecretAccessKey += "x"
			return c, err
		}),
	})
	_, err := forger.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &name})
	if api, ok := errors.AsType[smithy.APIError](err); !ok || api.ErrorCode() != "SignatureDoesNotMatch" {
		t.Errorf("a request with a wrong secret = %v, want SignatureDoesNotMatch", err)
	}
}

func TestS3AllowsOneOrigin(t *testing.T) {
	client, name := awstest.S3(t)
	for origin, want := range map[string]int{
		awstest.Origin:        http.StatusOK,
		"https://example.com": http.StatusForbidden,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, *client.Options().BaseEndpoint+"/"+name, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", http.MethodPost)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("preflight from %s = %d, want %d", origin, response.StatusCode, want)
		}
	}
}

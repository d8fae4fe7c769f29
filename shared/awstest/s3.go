package awstest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

var s3Server server

// The credentials that the S3 server is started with, drawn for each test binary.
var s3Access, s3Secret = rand.Text(), rand.Text()

// Origin is the one web origin that buckets made by S3 allow.
const Origin = "http://localhost:3000"

// S3 returns a client, and the name of a new bucket of its own, on versitygw
// (.ci/s3server): an S3 server that checks signatures, policies and CORS. All tests of a binary
// share one process, which ends with the binary.
func S3(t testing.TB) (*s3.Client, string) {
	t.Helper()
	address, err := s3Server.once(s3Program(s3Binary(t)))
	if err != nil {
		t.Fatal(err)
	}
	client := s3Client("http://" + address)
	name := strings.ToLower("test-" + rand.Text())
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	rules := []types.CORSRule{{
		AllowedOrigins: []string{Origin},
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut},
		AllowedHeaders: []string{"*"},
		ExposeHeaders:  []string{"ETag"},
	}}
	if _, err := client.PutBucketCors(t.Context(), &s3.PutBucketCorsInput{
		Bucket:            &name,
		CORSConfiguration: &types.CORSConfiguration{CORSRules: rules},
	}); err != nil {
		t.Fatal(err)
	}
	return client, name
}

// s3Binary finds the S3 server where .ci/tools/s3server puts it.
func s3Binary(t testing.TB) string {
	t.Helper()
	binary := filepath.Join(root(t), ".cache", "bin", "s3server")
	if _, err := os.Stat(binary); err != nil {
		missing(t, "the S3 server is not built: run .ci/tools/s3server")
	}
	return binary
}

func s3Program(binary string) program {
	return program{
		command: func(address, folder string) []string {
			return []string{binary, "-address", address, "-access", s3Access, "-secret", s3Secret, folder}
		},
		ready: func(ctx context.Context, address string) error {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/health", nil)
			if err != nil {
				return err
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				return err
			}
			defer response.Body.Close()
			if response.StatusCode != http.StatusOK {
				return fmt.Errorf("health answers %s", response.Status)
			}
			return nil
		},
	}
}

func s3Client(endpoint string) *s3.Client {
	return s3.New(s3.Options{
		Region:       "us-east-1",
		BaseEndpoint: &endpoint,
		UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: s3Access, SecretAccessKey: s3Secret}, nil
		}),
	})
}

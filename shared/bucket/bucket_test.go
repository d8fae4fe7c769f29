package bucket_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"parley/shared/awstest"
	"parley/shared/bucket"
	"parley/shared/bucket/buckettest"
	"parley/shared/parley"
)

func TestContract(t *testing.T) {
	client, name := awstest.S3(t)
	buckettest.Run(t, bucket.New(bucket.Config{Client: client, Name: name}), awstest.Origin)
}

// TestPlumbing runs where there is no versitygw, against a server that checks
// nothing but what versitygw does not: how many keys a deletion names.
func TestPlumbing(t *testing.T) {
	backend := s3mem.New()
	if err := backend.CreateBucket("attachments"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(limitKeys(gofakes3.New(backend).Server()))
	t.Cleanup(server.Close)
	client := s3.New(s3.Options{
		Region:       "local",
		BaseEndpoint: &server.URL,
		UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "any", SecretAccessKey: "any"}, nil
		}),
	})
	buckettest.Plumbing(t, bucket.New(bucket.Config{Client: client, Name: "attachments"}))
}

// limitKeys refuses deletions of more than a thousand keys, as S3 does.
func limitKeys(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("delete") {
			body, err := io.ReadAll(r.Body)
			if err != nil || bytes.Count(body, []byte("<Key>")) > 1000 {
				http.Error(w, "<Error><Code>MalformedXML</Code></Error>", http.StatusBadRequest)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		next.ServeHTTP(w, r)
	})
}

// TestAddresses checks, without a server, what browsers get on AWS: the
// bucket's own origin, and the token without which a role's signature is worthless.
func TestAddresses(t *testing.T) {
	b := bucket.New(bucket.Config{Name: "attachments", Client: s3.New(s3.Options{
		Region: "eu-central-1",
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "key", SecretAccessKey: "secret", SessionToken: "token"}, nil
		}),
	})})
	const origin = "https://attachments.s3.eu-central-1.amazonaws.com"
	grant, err := b.GrantUpload(t.Context(), "a/b", "text/plain", 1, 2, time.Minute)
	if err != nil || strings.TrimSuffix(grant.URL, "/") != origin || grant.Fields["X-Amz-Security-Token"] != "token" {
		t.Errorf("GrantUpload = %s %v, %v, want %s and the token", grant.URL, grant.Fields, err, origin)
	}
	link, err := b.Link(t.Context(), "a/b", time.Minute)
	if err != nil || !strings.HasPrefix(link, origin+"/a/b?") || !strings.Contains(link, "X-Amz-Security-Token=token") {
		t.Errorf("Link = %s, %v, want %s and the token", link, err, origin)
	}
}

// TestMissingBucket checks that a bucket that is not there does not look like
// objects that are not there.
func TestMissingBucket(t *testing.T) {
	client, name := awstest.S3(t)
	b := bucket.New(bucket.Config{Client: client, Name: name + "-other"})
	if _, err := b.Inspect(t.Context(), "a"); err == nil || errors.Is(err, parley.ErrNoObject) {
		t.Errorf("Inspect = %v, want an error that is not ErrNoObject", err)
	}
	if err := b.Copy(t.Context(), "a", `"b"`, "c", "text/plain", "d"); err == nil || errors.Is(err, parley.ErrNoObject) {
		t.Errorf("Copy = %v, want an error that is not ErrNoObject", err)
	}
	if err := b.Delete(t.Context(), "a"); err == nil {
		t.Error("Delete = nil, want an error")
	}
}

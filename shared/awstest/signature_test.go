package awstest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"parley/shared/awstest"
)

// TestSigned lets pass what the SDK signs, and nothing of it that was changed
// on the way.
func TestSigned(t *testing.T) {
	keys := aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret", SessionToken: "token"}
	for _, test := range []struct {
		name   string
		change func(r *http.Request)
		want   string // what is said of it; "" lets it pass
	}{
		{"nothing", func(*http.Request) {}, ""},
		{"body", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("other")) }, "does not match"},
		{"path", func(r *http.Request) { r.URL.Path += "x"; r.URL.RawPath = "" }, "does not match"},
		{"query", func(r *http.Request) { r.URL.RawQuery = "Qualifier=2" }, "does not match"},
		{"header", func(r *http.Request) { r.Header.Set("X-Amz-Invocation-Type", "DryRun") }, "does not match"},
		{"host", func(r *http.Request) { r.Host = "elsewhere" }, "does not match"},
		{"added header", func(r *http.Request) { r.Header.Set("X-Amz-Log-Type", "Tail") }, "not signed"},
		{"date", func(r *http.Request) { r.Header.Set("X-Amz-Date", "20200101T000000Z") }, "signed at"},
		{"token", func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "other") }, "session token"},
		{"no signature", func(r *http.Request) { r.Header.Del("Authorization") }, "not signed"},
		{"other key", func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "=id/", "=it/", 1))
		}, "credential"},
	} {
		t.Run(test.name, func(t *testing.T) {
			said := &quiet{TB: t}
			checked := awstest.Signed(said, "lambda", keys, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }))
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				test.change(r)
				checked.ServeHTTP(w, r)
			}))
			defer server.Close()
			client := lambda.New(lambda.Options{Region: "us-east-1", BaseEndpoint: &server.URL, Retryer: aws.NopRetryer{},
				Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "token")})
			_, err := client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("arn:aws:lambda:us-east-1:1:function:f"), InvocationType: "Event", Payload: []byte(`{}`)})
			if test.want == "" && (err != nil || said.errors > 0) {
				t.Errorf("Invoke = %v, %d errors of the test", err, said.errors)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "InvalidSignature") || said.errors != 1) {
				t.Errorf("Invoke = %v, %d errors of the test; want %q and 1", err, said.errors, test.want)
			}
		})
	}
}

// quiet counts errors in place of failing.
type quiet struct {
	testing.TB
	errors int
}

func (q *quiet) Errorf(string, ...any) { q.errors++ }

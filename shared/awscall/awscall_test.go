package awscall_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"parley/shared/awscall"
	"parley/shared/awstest"
)

var keys = aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret/+", SessionToken: "to/ken=="}

func config(client aws.HTTPClient, sources ...any) aws.Config {
	return aws.Config{
		Region:        "us-east-1",
		Credentials:   credentials.NewStaticCredentialsProvider(keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken),
		HTTPClient:    client,
		ConfigSources: sources,
	}
}

// endpoints replaces those of services.
type endpoints map[string]string

func (e endpoints) GetServiceBaseEndpoint(_ context.Context, service string) (string, bool, error) {
	address, ok := e[service]
	return address, ok, nil
}

// TestSigned sends what every kind of request has that is signed.
func TestSigned(t *testing.T) {
	var got []string
	server := httptest.NewServer(awstest.Signed(t, "secretsmanager", keys, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = append(got, r.Method+" "+r.URL.EscapedPath()+" "+r.Header.Get("X-Amz-Target")+" "+r.Header.Get("Content-Type")+" "+string(body))
		io.WriteString(w, "answer")
	})))
	defer server.Close()
	c := awscall.New(config(http.DefaultClient, endpoints{"Secrets Manager": server.URL + "/"}))
	for _, r := range []awscall.Request{
		{Path: "/", Header: map[string]string{"X-Amz-Target": "secretsmanager.Get", "Content-Type": "application/x-amz-json-1.1"}, Body: []byte(`{"SecretId":"ä"}`)},
		{Path: "/functions/" + url.PathEscape("arn:aws:lambda:us-east-1:1:function:a b/c") + "/invocations"},
	} {
		r.Service = "Secrets Manager"
		if answer, err := c.Do(t.Context(), r); err != nil || string(answer) != "answer" {
			t.Errorf("Do(%+v) = %q, %v", r, answer, err)
		}
	}
	want := []string{
		`POST / secretsmanager.Get application/x-amz-json-1.1 {"SecretId":"ä"}`,
		"POST /functions/arn:aws:lambda:us-east-1:1:function:a%20b%2Fc/invocations   ",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("received %q, want %q", got, want)
	}
}

// transport answers requests without a network.
type transport func(r *http.Request) (*http.Response, error)

func (f transport) Do(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int, header, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"X-Amzn-Errortype": {header}}, Body: io.NopCloser(strings.NewReader(body))}
}

// TestHost compares host names with those that the SDK knows, in a region of
// each partition.
func TestHost(t *testing.T) {
	for _, region := range []string{"us-east-1", "eu-central-1", "us-gov-west-1", "cn-north-1", "eusc-de-east-1", "us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1", "us-isof-south-1"} {
		standard, err := dynamodb.NewDefaultEndpointResolverV2().ResolveEndpoint(t.Context(), dynamodb.EndpointParameters{Region: &region})
		if err != nil {
			t.Fatal(err)
		}
		want := "secretsmanager" + strings.TrimPrefix(standard.URI.Host, "dynamodb")
		c := config(transport(func(r *http.Request) (*http.Response, error) {
			if r.URL.Scheme != "https" || r.URL.Host != want {
				t.Errorf("in %s: %s://%s, want https://%s", region, r.URL.Scheme, r.URL.Host, want)
			}
			return answer(200, "", ""), nil
		}), endpoints{"SSM": "http://elsewhere"})
		c.Region = region
		if _, err := awscall.New(c).Do(t.Context(), awscall.Request{Service: "Secrets Manager", Path: "/"}); err != nil {
			t.Error(err)
		}
	}
}

// TestErrors: what AWS says went wrong, in each form of its JSON protocols.
func TestErrors(t *testing.T) {
	for _, test := range []struct{ header, body, want string }{
		{"", `{"__type":"com.amazonaws#ResourceNotFoundException","Message":"none"}`, "status 400: ResourceNotFoundException: none"},
		{"AccessDeniedException:http://internal.amazon.com/", `{"message":"no"}`, "status 400: AccessDeniedException: no"},
		{"", `{"code":"ValidationException"}`, "status 400: ValidationException: "},
		{"", `<html>`, "status 400: Bad Request: "},
	} {
		calls := 0
		c := awscall.New(config(transport(func(*http.Request) (*http.Response, error) {
			calls++
			return answer(http.StatusBadRequest, test.header, test.body), nil
		})))
		_, err := c.Do(t.Context(), awscall.Request{Service: "SSM", Path: "/"})
		var failed *awscall.Error
		if !errors.As(err, &failed) || err.Error() != test.want || calls != 1 {
			t.Errorf("Do = %v after %d calls, want %q after 1", err, calls, test.want)
		}
	}
}

// TestAgain: what may pass is tried three times, everything else once, and
// nothing after the context has ended.
func TestAgain(t *testing.T) {
	reset := &url.Error{Op: "Post", Err: errors.New("read: connection reset by peer")}
	for _, test := range []struct {
		name   string
		status int
		code   string
		err    error
		want   int
	}{
		{"reset", 0, "", reset, 3},
		{"server error", 500, "", nil, 3},
		{"unavailable", 503, "ServiceException", nil, 3},
		{"throttled", 400, "ThrottlingException", nil, 3},
		{"too many", 429, "TooManyRequestsException", nil, 3},
		{"denied", 403, "AccessDeniedException", nil, 1},
		{"too large", 413, "RequestTooLargeException", nil, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			bodies := map[string]int{}
			c := awscall.New(config(transport(func(r *http.Request) (*http.Response, error) {
				body, _ := io.ReadAll(r.Body)
				bodies[string(body)]++
				if test.err != nil {
					return nil, test.err
				}
				return answer(test.status, test.code, ""), nil
			})))
			_, err := c.Do(t.Context(), awscall.Request{Service: "Lambda", Path: "/", Body: []byte("event")})
			if err == nil || bodies["event"] != test.want || len(bodies) != 1 {
				t.Errorf("%s: Do = %v after sending %v, want an error after %d", test.name, err, bodies, test.want)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		ctx, cancel := context.WithCancel(t.Context())
		c := awscall.New(config(transport(func(*http.Request) (*http.Response, error) {
			calls++
			time.AfterFunc(time.Nanosecond, cancel)
			return answer(500, "", ""), nil
		})))
		began := time.Now()
		_, err := c.Do(ctx, awscall.Request{Service: "Lambda", Path: "/"})
		if err == nil || calls != 1 || time.Since(began) > time.Nanosecond {
			t.Errorf("canceled: Do = %v after %d calls and %v", err, calls, time.Since(began))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		c := awscall.New(config(transport(func(*http.Request) (*http.Response, error) {
			if calls++; calls < 3 {
				return answer(500, "", ""), nil
			}
			return answer(202, "", "late"), nil
		})))
		if body, err := c.Do(t.Context(), awscall.Request{Service: "Lambda", Path: "/"}); err != nil || string(body) != "late" {
			t.Errorf("the third answer: Do = %q, %v", body, err)
		}
	})
}

// TestOnce: nothing is tried again, and an endpoint of one's own wins over others.
func TestOnce(t *testing.T) {
	calls := 0
	c := awscall.New(config(transport(func(r *http.Request) (*http.Response, error) {
		calls++
		if r.Method != http.MethodDelete || r.URL.String() != "https://own.example/live/@connections/a%3D" {
			t.Errorf("sent %s %s", r.Method, r.URL)
		}
		if scope := "/us-east-1/execute-api/aws4_request"; !strings.Contains(r.Header.Get("Authorization"), scope) {
			t.Errorf("signed %s, want for %s", r.Header.Get("Authorization"), scope)
		}
		return answer(503, "", ""), nil
	}), endpoints{"X": "http://elsewhere"}))
	_, err := c.Once(t.Context(), awscall.Request{Service: "X", Signing: "execute-api", Endpoint: "https://own.example/live", Method: http.MethodDelete, Path: "/@connections/a%3D"})
	var failed *awscall.Error
	if !errors.As(err, &failed) || failed.Status != 503 || calls != 1 {
		t.Errorf("Once = %v after %d calls, want 503 after 1", err, calls)
	}
}

// TestLongAnswer: an answer is not read without end.
func TestLongAnswer(t *testing.T) {
	const limit = 512 << 10
	for size, ok := range map[int]bool{limit: true, limit + 1: false} {
		c := awscall.New(config(transport(func(*http.Request) (*http.Response, error) {
			return answer(200, "", strings.Repeat("a", size)), nil
		})))
		if body, err := c.Do(t.Context(), awscall.Request{Service: "SSM", Path: "/"}); (err == nil) != ok || ok && len(body) != size {
			t.Errorf("an answer of %d bytes: %d bytes, %v", size, len(body), err)
		}
	}
}

// TestNoKeys: without credentials nothing is sent.
func TestNoKeys(t *testing.T) {
	c := config(transport(func(*http.Request) (*http.Response, error) {
		t.Error("sent")
		return answer(200, "", ""), nil
	}))
	none := fmt.Errorf("no keys")
	c.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, none })
	if _, err := awscall.New(c).Do(t.Context(), awscall.Request{Service: "SSM", Path: "/"}); !errors.Is(err, none) {
		t.Errorf("Do = %v, want %v", err, none)
	}
}

package wire

import (
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"parley/shared/awscall"
	"parley/shared/lambdahttp"
)

// TestFront: the distribution's secret is fetched, the version that it sends, and a
// function that is to know one does not start without.
func TestFront(t *testing.T) {
	const arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:Origin-AbCdEf"
	for name, test := range map[string]struct {
		variable, secret, asked string
		want                    lambdahttp.Front
		fails                   string
	}{
		"none": {},
		"one": {`{"secretArn":"` + arn + `","version":"","only":false}`, `{"origin":"o"}`, `{"SecretId":"` + arn + `"}`,
			lambdahttp.Front{Secrets: []string{"o", ""}}, ""},
		"only it, of a version, and the one before": {`{"secretArn":"` + arn + `","version":"v-2","only":true}`, `{"origin":"o","previous":"p"}`,
			`{"SecretId":"` + arn + `","VersionId":"v-2"}`, lambdahttp.Front{Secrets: []string{"o", "p"}, Only: true}, ""},
		"no JSON":   {arn, "", "", lambdahttp.Front{}, "PARLEY_ORIGIN is no JSON object that names a secret"},
		"no secret": {`{"only":true}`, "", "", lambdahttp.Front{}, "PARLEY_ORIGIN is no JSON object that names a secret"},
		"empty":     {`{"secretArn":"` + arn + `","only":true}`, `{"master":"m"}`, `{"SecretId":"` + arn + `"}`, lambdahttp.Front{}, "not a JSON object with"},
		"text":      {`{"secretArn":"` + arn + `","only":true}`, `h1dden`, `{"SecretId":"` + arn + `"}`, lambdahttp.Front{}, "not a JSON object with"},
	} {
		t.Run(name, func(t *testing.T) {
			asked := ""
			b := &Base{Call: awscall.New(aws.Config{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
				HTTPClient: transport(func(r *http.Request) (*http.Response, error) {
					body, err := io.ReadAll(r.Body)
					asked = string(body)
					answer := `{"SecretString":` + quote(test.secret) + `}`
					return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer))}, err
				})})}
			t.Setenv("PARLEY_ORIGIN", test.variable)
			got, err := b.readFront(t.Context())
			if !reflect.DeepEqual(got, test.want) || asked != test.asked || (err == nil) != (test.fails == "") {
				t.Errorf("front = %+v, %v, after asking %s; want %+v after %s", got, err, asked, test.want, test.asked)
			}
			if err != nil && (!strings.Contains(err.Error(), test.fails) || strings.Contains(err.Error(), "h1dden")) {
				t.Errorf("error = %v, want %s", err, test.fails)
			}
		})
	}
}

func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }

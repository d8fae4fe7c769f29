package wire

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// lacking returns the error with which the start of a function ends, "" if it goes on.
func lacking(start func()) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text = p.(lack).Error()
		}
	}()
	start()
	return ""
}

// TestCloud reads the environment of a function, and has the SDK read the rest.
func TestCloud(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_SESSION_TOKEN", "token")
	t.Setenv("AWS_REGION", "eu-west-1")
	for _, test := range []struct{ all, own, want string }{
		{"", "", ""},
		{"", "http://own", "http://own"},
		{"http://all", "", "http://all"},
		{"http://all", "http://own", "http://own"},
	} {
		t.Setenv("AWS_ENDPOINT_URL", test.all)
		t.Setenv("AWS_ENDPOINT_URL_DYNAMODB", test.own)
		c := cloud()
		keys, err := c.Credentials.Retrieve(t.Context())
		if err != nil || keys.AccessKeyID != "id" || keys.SecretAccessKey != "secret" || keys.SessionToken != "token" || c.Region != "eu-west-1" {
			t.Errorf("cloud = %+v in %s, %v", keys, c.Region, err)
		}
		if got := aws.ToString(dynamodb.NewFromConfig(c).Options().BaseEndpoint); got != test.want {
			t.Errorf("with %q and %q DynamoDB is at %q, want %q", test.all, test.own, got, test.want)
		}
	}
	for _, variable := range []string{"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv(variable, "")
			if got := lacking(func() { cloud() }); got != variable+" is not set" {
				t.Errorf("without %s: %q", variable, got)
			}
		})
	}
}

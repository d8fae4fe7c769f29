package wire

import (
	"context"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// cloud returns the AWS configuration from the variables that Lambda sets, which
// never change while a function runs. The SDK's loader reads files and tries a
// dozen other sources, which takes some milliseconds of each start.
func cloud() aws.Config {
	return aws.Config{
		Region:        Required("AWS_REGION"),
		Credentials:   credentials.NewStaticCredentialsProvider(Required("AWS_ACCESS_KEY_ID"), Required("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN")),
		HTTPClient:    awshttp.NewBuildableClient(),
		ConfigSources: []any{endpoints{}},
	}
}

// endpoints finds replacements for services' endpoints in the environment:
// AWS_ENDPOINT_URL_SECRETS_MANAGER for Secrets Manager, else AWS_ENDPOINT_URL.
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
type endpoints struct{}

const endpointVariable = "AWS_ENDPOINT_URL"

// GetServiceBaseEndpoint is what the SDK's clients ask.
func (endpoints) GetServiceBaseEndpoint(_ context.Context, service string) (address string, ok bool, err error) {
	own := endpointVariable + "_" + strings.ToUpper(strings.ReplaceAll(service, " ", "_"))
	for _, variable := range []string{own, endpointVariable} {
		if address := os.Getenv(variable); address != "" {
			return address, true, nil
		}
	}
	return "", false, nil
}

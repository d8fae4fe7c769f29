// Package wire builds what the main packages of the functions share, from the
// environment variables that template.yaml sets. Parts with large dependencies
// are packages of their own, so that a function's binary contains only what it
// uses: wire/objects for the bucket, wire/engine for generating replies,
// wire/agents for who answers, wire/invoke for invoking other functions.
package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"parley/functions/internal/emf"
	"parley/shared/api"
	"parley/shared/awscall"
	"parley/shared/lambdahttp"
	"parley/shared/parley"
	"parley/shared/table/dynamo"
	"parley/shared/token"
)

// Environment variables. Endpoints of AWS can be replaced as usual, with
// AWS_ENDPOINT_URL_DYNAMODB, _S3, _LAMBDA, _SECRETS_MANAGER, _SSM and
// _BEDROCK_RUNTIME.
const (
	tableVariable        = "PARLEY_TABLE"         // name of the table; required
	secretVariable       = "PARLEY_SECRET_ARN"    // secret that holds a Secret as JSON
	masterVariable       = "PARLEY_MASTER_SECRET" // instead of it, the master secret itself: tests, sam local
	distributionVariable = "PARLEY_ORIGIN"        // origin as JSON: what stands in front of the function, if anything does
	urlsVariable         = "PARLEY_URLS"          // api.URLs as JSON
	metricsVariable      = "PARLEY_METRICS"       // namespace of the metrics; required where there are any
)

// Secret contains the secrets of the deployment.
type Secret struct {
	// Master signs. Previous is the master before it, whose signatures stay valid
	// while it is set.
	Master   string `json:"master"`
	Previous string `json:"previous"`
}

// Base has what every function needs that works on sessions.
type Base struct {
	AWS aws.Config
	// Call calls operations of AWS without the SDK's client of a service.
	Call  *awscall.Client
	Log   *slog.Logger
	Keys  *token.Keyring
	table *dynamo.Table
	front lambdahttp.Front
}

// startTime limits what is fetched before a function can serve: Lambda allows a
// start 10 s (Lambda quotas).
const startTime = 8 * time.Second

// Main builds a Base and runs a function with it. It ends the process if that
// fails, with the error in the log.
func Main(start func(ctx context.Context, b *Base) error) {
	main(func(ctx context.Context, b *Base) error {
		if err := b.unlock(ctx); err != nil {
			return err
		}
		var err error
		if b.front, err = b.readFront(ctx); err != nil {
			return err
		}
		return start(ctx, b)
	})
}

// MainWithoutSecret is Main for a function without access to the deployment's
// secret. Its Base has no Keys and its Store cannot derive anything.
func MainWithoutSecret(start func(ctx context.Context, b *Base) error) { main(start) }

func main(start func(ctx context.Context, b *Base) error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	log := lambdahttp.NewLogger()
	b, err := load(log)
	if err == nil {
		err = start(ctx, b)
	}
	if err != nil {
		log.Error("start", "error", err.Error())
		os.Exit(1)
	}
}

func load(log *slog.Logger) (*Base, error) {
	name, err := Required(tableVariable)
	if err != nil {
		return nil, err
	}
	b := &Base{Log: log}
	if b.AWS, err = cloud(); err != nil {
		return nil, err
	}
	b.Call = awscall.New(b.AWS)
	b.table = dynamo.New(dynamo.Config{Client: dynamodb.NewFromConfig(b.AWS), Name: name})
	return b, nil
}

// unlock fetches the deployment's secret and builds Keys from it.
func (b *Base) unlock(ctx context.Context) (err error) {
	secret, err := b.readSecret(ctx)
	if err != nil {
		return err
	}
	masters := [][]byte{[]byte(secret.Master)}
	if secret.Previous != "" {
		masters = append(masters, []byte(secret.Previous))
	}
	b.Keys, err = token.New(token.Config{Masters: masters})
	return err
}

// Required returns a variable that must be set.
func Required(name string) (string, error) {
	v := os.Getenv(name)
	if v == "" {
		return "", fmt.Errorf("%s is not set", name)
	}
	return v, nil
}

func (b *Base) readSecret(ctx context.Context) (Secret, error) {
	if master := os.Getenv(masterVariable); master != "" {
		return Secret{Master: master}, nil
	}
	arn, err := Required(secretVariable)
	if err != nil {
		return Secret{}, err
	}
	text, err := b.FetchSecret(ctx, arn)
	if err != nil {
		return Secret{}, err
	}
	var s Secret
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return Secret{}, errors.New("the master secret is not a JSON object")
	}
	return s, nil
}

// Store returns the domain. bucket is nil for a function that works on no
// attachments.
func (b *Base) Store(bucket parley.Bucket) (*parley.Store, error) {
	c := parley.Config{Table: b.table, Bucket: bucket, Near: api.LogNear(b.Log)}
	if b.Keys == nil {
		c.Derive = func(label string, _ ...string) []byte {
			panic("wire: there is no secret to derive a " + label + " from")
		}
	} else {
		c.Derive, c.DerivePrevious = b.Keys.Derive, b.Keys.DerivePrevious
	}
	return parley.New(c)
}

// URLs returns the base addresses of the functions that this one has been told.
func URLs() (api.URLs, error) {
	var urls api.URLs
	if text := os.Getenv(urlsVariable); text != "" {
		if err := json.Unmarshal([]byte(text), &urls); err != nil {
			return urls, fmt.Errorf("%s is no JSON object of addresses: %w", urlsVariable, err)
		}
	}
	return urls, nil
}

// Metrics is where the function's metrics are written.
func Metrics() (emf.Log, error) {
	namespace, err := Required(metricsVariable)
	return emf.Log{Namespace: namespace, Writer: os.Stdout}, err
}

// Files returns the base of files' addresses, without a slash at its end, for a function
// that tells others than the one who asks.
func Files() (string, error) {
	urls, err := URLs()
	if err == nil && urls.Uploads == "" {
		err = errors.New(urlsVariable + " does not name where files are")
	}
	return strings.TrimRight(urls.Uploads, "/"), err
}

// Serve is Main for a function that only answers HTTP requests.
func Serve(handler func(ctx context.Context, b *Base) (http.Handler, error)) {
	Main(func(ctx context.Context, b *Base) error {
		h, err := handler(ctx, b)
		if err != nil {
			return err
		}
		lambdahttp.Start(h, b.HTTP())
		return nil
	})
}

// API returns what the functions of the HTTP API share, with a Store on the
// given bucket.
func (b *Base) API(bucket parley.Bucket) (*api.API, error) {
	store, err := b.Store(bucket)
	if err != nil {
		return nil, err
	}
	urls, err := URLs()
	if err != nil {
		return nil, err
	}
	return api.New(api.Config{Store: store, Keys: b.Keys, URLs: urls, Log: b.Log, RequestID: lambdahttp.RequestID, Through: lambdahttp.Through})
}

// HTTP says how requests reach the function.
func (b *Base) HTTP() lambdahttp.Config {
	return lambdahttp.Config{Front: b.front, Log: b.Log}
}

// Package wire builds what the main packages of the functions share, from the
// environment variables that template.yaml sets. Parts with large dependencies
// are packages of their own, so that a function's binary contains only what it
// uses: wire/objects for the bucket, wire/engine for generating replies,
// wire/agents for who answers, wire/invoke for invoking other functions.
//
// A function that lacks something does not start: what builds a part returns no error
// but panics by Must, which Main puts into the log.
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
func Main(start func(ctx context.Context, b *Base)) {
	main(func(ctx context.Context, b *Base) {
		b.unlock(ctx)
		b.front = Must(b.readFront(ctx))
		start(ctx, b)
	})
}

// MainWithoutSecret is Main for a function without access to the deployment's
// secret. Its Base has no Keys and its Store cannot derive anything.
func MainWithoutSecret(start func(ctx context.Context, b *Base)) { main(start) }

func main(start func(ctx context.Context, b *Base)) {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	b := &Base{Log: lambdahttp.NewLogger()}
	defer func() {
		switch p := recover().(type) {
		case nil:
		case lack:
			b.Log.Error("start", "error", p.Error())
			os.Exit(1)
		default:
			panic(p)
		}
	}()
	b.AWS = cloud()
	b.Call = awscall.New(b.AWS)
	b.table = dynamo.New(dynamo.Config{Client: dynamodb.NewFromConfig(b.AWS), Name: Required(tableVariable)})
	start(ctx, b)
}

// lack is what a function cannot start without.
type lack struct{ error }

// Must returns v. It ends the start of the function if there is an error.
func Must[T any](v T, err error) T {
	if err != nil {
		panic(lack{err})
	}
	return v
}

// unlock fetches the deployment's secret and builds Keys from it.
func (b *Base) unlock(ctx context.Context) {
	secret := Must(b.readSecret(ctx))
	masters := [][]byte{[]byte(secret.Master)}
	if secret.Previous != "" {
		masters = append(masters, []byte(secret.Previous))
	}
	b.Keys = Must(token.New(token.Config{Masters: masters}))
}

// Required returns a variable that must be set.
func Required(name string) string {
	v := os.Getenv(name)
	if v == "" {
		panic(lack{errors.New(name + " is not set")})
	}
	return v
}

func (b *Base) readSecret(ctx context.Context) (Secret, error) {
	if master := os.Getenv(masterVariable); master != "" {
		return Secret{Master: master}, nil
	}
	text, err := b.FetchSecret(ctx, Required(secretVariable))
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
func (b *Base) Store(bucket parley.Bucket) *parley.Store {
	c := parley.Config{Table: b.table, Bucket: bucket, Near: api.LogNear(b.Log)}
	if b.Keys == nil {
		c.Derive = func(label string, _ ...string) []byte {
			panic("wire: there is no secret to derive a " + label + " from")
		}
	} else {
		c.Derive, c.DerivePrevious = b.Keys.Derive, b.Keys.DerivePrevious
	}
	return Must(parley.New(c))
}

// URLs returns the base addresses of the functions that this one has been told.
func URLs() (urls api.URLs) {
	if text := os.Getenv(urlsVariable); text != "" {
		addresses(urlsVariable, text, &urls)
	}
	return urls
}

// addresses reads a variable that has addresses as a JSON object.
func addresses(variable, text string, v any) {
	if err := json.Unmarshal([]byte(text), v); err != nil {
		panic(lack{fmt.Errorf("%s is no JSON object of addresses: %w", variable, err)})
	}
}

// Metrics is where the function's metrics are written.
func Metrics() emf.Log { return emf.Log{Namespace: Required(metricsVariable), Writer: os.Stdout} }

// Files returns the base of files' addresses, without a slash at its end, for a function
// that tells others than the one who asks.
func Files() string {
	at := URLs().Uploads
	if at == "" {
		panic(lack{errors.New(urlsVariable + " does not name where files are")})
	}
	return strings.TrimRight(at, "/")
}

// Serve is Main for a function that only answers HTTP requests.
func Serve(handler func(ctx context.Context, b *Base) http.Handler) {
	Main(func(ctx context.Context, b *Base) { lambdahttp.Start(handler(ctx, b), b.HTTP()) })
}

// API returns what the functions of the HTTP API share, with a Store on the
// given bucket.
func (b *Base) API(bucket parley.Bucket) *api.API {
	return Must(api.New(api.Config{Store: b.Store(bucket), Keys: b.Keys, URLs: URLs(), Log: b.Log,
		RequestID: lambdahttp.RequestID, Through: lambdahttp.Through}))
}

// HTTP says how requests reach the function.
func (b *Base) HTTP() lambdahttp.Config {
	return lambdahttp.Config{Front: b.front, Log: b.Log}
}

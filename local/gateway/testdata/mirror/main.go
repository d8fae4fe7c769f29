// Command mirror is the handler of the same name as a Lambda function.
package main

import (
	"encoding/json"
	"net/http"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"parley/local/gateway/testdata/mirror/handler"
	"parley/shared/awscall"
	"parley/shared/socket/apigateway"
)

func main() {
	call := awscall.New(aws.Config{
		Region:      os.Getenv("AWS_REGION"),
		Credentials: credentials.NewStaticCredentialsProvider(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), ""),
		HTTPClient:  http.DefaultClient,
	})
	var endpoints map[string]string
	if err := json.Unmarshal([]byte(os.Getenv("PARLEY_SOCKETS")), &endpoints); err != nil {
		panic(err)
	}
	poster, err := apigateway.NewPoster(call, endpoints)
	if err != nil {
		panic(err)
	}
	apigateway.Start(handler.Mirror{Poster: poster, Gate: os.Getenv("GATE"), Die: func() { os.Exit(1) }}.Handler(), apigateway.Config{API: "mirror"})
}

// Command event is a function for the tests of lambdatest that takes events of
// its own: the field "do" says what happens.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type input struct{ Do string }

type output struct {
	Did      string
	Pid      int
	Function string
	ARN      string
	Left     time.Duration // until the deadline
	Long     string        `json:",omitempty"`
}

func main() {
	if os.Getenv("DEAF") != "" {
		signal.Ignore(syscall.SIGTERM)
		lambda.Start(handle)
	}
	lambda.StartWithOptions(handle, lambda.WithEnableSIGTERM(func() {
		fmt.Println("asked to terminate")
		os.Exit(0)
	}))
}

func handle(ctx context.Context, in input) (output, error) {
	lc, _ := lambdacontext.FromContext(ctx)
	end, _ := ctx.Deadline()
	out := output{Did: in.Do, Pid: os.Getpid(), Function: lambdacontext.FunctionName, ARN: lc.InvokedFunctionArn, Left: time.Until(end)}
	fmt.Println("doing", in.Do)
	switch in.Do {
	case "fail":
		return out, errors.New("as told")
	case "panic":
		panic("as told")
	case "wait":
		response, err := http.Get(os.Getenv("GATE") + "/wait")
		if err != nil {
			return out, err
		}
		response.Body.Close()
	case "long":
		out.Long = strings.Repeat("a", 7<<20)
	}
	return out, nil
}

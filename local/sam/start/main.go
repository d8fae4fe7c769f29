// Command start runs the functions of template.yaml in containers, as SAM CLI does:
// see `make sam-local`.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"parley/local/sam"
)

// standardPort is the API's where PORT says nothing.
const standardPort = 3000

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	if err := run(ctx, os.Getenv, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "sam-local:", err)
		os.Exit(1)
	}
}

// run starts the stack with the settings of an environment, tells where it is, and
// returns when ctx ends or something of the stack has.
func run(ctx context.Context, getenv func(string) string, out, log io.Writer) error {
	c, err := settings(getenv)
	if err != nil {
		return err
	}
	c.Log = log
	s, err := sam.Start(ctx, c)
	if err != nil {
		return err
	}
	defer s.Close()
	greet(out, s)
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.Ended():
		if ctx.Err() != nil { // Ctrl-C reaches the programs too
			return nil
		}
		return err
	}
}

// settings reads an environment. The error names the variable at fault.
func settings(getenv func(string) string) (sam.Config, error) {
	c := sam.Config{Root: ".", Table: getenv("PARLEY_DYNAMODB"), Port: standardPort}
	if text := getenv("PORT"); text != "" {
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return c, fmt.Errorf("PORT=%s is no port: it is a number from 1 to 65535, or 0 for any that is free", text)
		}
		c.Port = int(port)
	}
	switch image := getenv("IMAGE"); image {
	case "":
	case "minimal":
		c.Minimal = true
	default:
		return c, fmt.Errorf("IMAGE=%s means nothing: minimal is an image that is made here, and without it SAM gets Lambda's", image)
	}
	if c.Table == "" {
		return c, errors.New("there is no DynamoDB Local: .ci/tools/java and .ci/tools/dynamodb install what it needs")
	}
	return c, nil
}

// greet tells where the functions are.
func greet(out io.Writer, s *sam.Stack) {
	key := s.Demo.PublicKeys[0]
	fmt.Fprintf(out, `
  The functions run behind sam local start-api, in containers of %s.

  API      %s
  console  %[2]s/console/
  key      %s
  private  %s
  Lambda   %s

  Ask something, in another terminal:

      PARLEY=%[2]s KEY=%[3]s docs/examples/chat.sh 'What is Parley?'

  While this runs, whoever reaches this machine reaches the table, the files and the
  functions. Ctrl-C ends it, and what was said is gone.

`, s.Engine, s.URL, key, s.Demo.PrivateKey, s.Lambda)
}

// Command project has the operator function of a deployed stack carry out a command,
// as `make project` asks for: it makes the first project and prints the keys and the
// lines for its pages. It writes nothing but its answer, so the keys are kept nowhere.
//
// Settings, from the environment:
//
//	STACK     name of the stack; required
//	ID        of the new project
//	TITLE     its name; ID if empty
//	ORIGINS   websites that may use it, with commas between them
//	COMMAND   instead of these, a whole command as JSON; see functions/operator
//
// The account and region are those of the AWS CLI and SDKs, by AWS_PROFILE and the like.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"

	"parley/functions/operator"
	"parley/shared/awscall"
	"parley/shared/parley"
)

// patience is how long it all may take. Our choice: a cold start and two calls take
// about two seconds, and the operator function may take 30 (template.yaml).
const patience = time.Minute

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	if err := run(ctx, os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run carries out what the settings ask for, and writes the answer.
func run(ctx context.Context, setting func(name string) string, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	name := setting("STACK")
	if name == "" {
		return errors.New("STACK is not set")
	}
	command, err := commandOf(setting)
	if err != nil {
		return err
	}
	c, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(awshttp.NewBuildableClient()))
	if err != nil {
		return fmt.Errorf("read the settings for AWS: %w", err)
	}
	if c.Region == "" {
		return errors.New("there is no region: set one with aws configure, or AWS_REGION")
	}
	s := stack{call: awscall.New(c), name: name}
	outputs, err := s.outputs(ctx)
	if err != nil {
		return err
	}
	answer, err := s.invoke(ctx, outputs["OperatorFunctionName"], command)
	if err != nil {
		return err
	}
	var created operator.Created
	if err := json.Unmarshal(answer, &created); err != nil || len(created.PublicKeys) == 0 {
		_, err := fmt.Fprintf(out, "%s\n", bytes.TrimSpace(answer))
		return err
	}
	return welcome(out, name, outputs, created)
}

// commandOf is the event for the operator function.
func commandOf(setting func(string) string) ([]byte, error) {
	if command := setting("COMMAND"); command != "" {
		if !json.Valid([]byte(command)) {
			return nil, errors.New("COMMAND is no JSON; in a shell it stands between apostrophes, and '\\'' is one within it")
		}
		return []byte(command), nil
	}
	id := setting("ID")
	if id == "" {
		return nil, errors.New("ID is not set: make project ID=shop TITLE='Shop' ORIGINS=https://shop.example.com")
	}
	project := parley.Project{ID: parley.ProjectID(id), Name: cmp.Or(setting("TITLE"), id)}
	for origin := range strings.SplitSeq(setting("ORIGINS"), ",") {
		if origin = strings.TrimSpace(origin); origin != "" {
			project.Origins = append(project.Origins, origin)
		}
	}
	return json.Marshal(operator.Command{CreateProject: &project})
}

// Command local runs all of Parley on this machine: see `make run`. With the argument
// token and somebody's id it prints a token of theirs instead: see `make token`.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"parley/functions/chathub"
	"parley/local/bundle"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	start := func() error { return run(ctx, os.Getenv, os.Stdout, os.Stderr) }
	if len(os.Args) == 3 && os.Args[1] == "token" {
		start = func() error { return printToken(os.Stdout, os.Args[2]) }
	}
	if err := start(); err != nil {
		fmt.Fprintln(os.Stderr, "parley:", strings.ReplaceAll(err.Error(), "\n", "; "))
		os.Exit(1)
	}
}

// printToken prints what the demo project's backend, if it had one, would sign for
// somebody.
func printToken(out io.Writer, sub string) error {
	text, err := bundle.DemoIdentity(folder, sub, time.Now())
	if err == nil {
		_, err = fmt.Fprintln(out, text)
	}
	return err
}

// run starts Parley with the settings of an environment and serves until ctx
// ends. The addresses go to out, a line a request to log.
func run(ctx context.Context, getenv func(string) string, out, log io.Writer) error {
	c, err := settings(getenv)
	if err != nil {
		return err
	}
	c.Log = slog.New(slog.NewTextHandler(log, nil))
	b, err := bundle.Open(ctx, c)
	if err != nil {
		return err
	}
	greet(out, c, b)
	return b.Serve(ctx)
}

// greet tells where Parley is.
func greet(out io.Writer, c bundle.Config, b *bundle.Bundle) {
	folder, err := filepath.Abs(c.Folder)
	if err != nil {
		folder = c.Folder
	}
	answers := c.Agent.Provider
	if c.Agent.Model != "" {
		answers += ", " + c.Agent.Model
	}
	fmt.Fprintf(out, `
  Parley runs. Open the page and ask it something.

  page     %s/
  console  %[1]s/console/
  API      %[1]s
  hub      %[1]s%s?agentId=%s.guide&access_token=… (make token SUB=user_1)
  key      %s
  private  %s
  files    %s
  agent    %s
  data     %s

`, b.Page, chathub.Path, bundle.DemoProject, b.Key, b.PrivateKey, b.Files, answers, folder)
	if c.Host != "" && c.Host != "localhost" {
		fmt.Fprintf(out, "  HOST=%s: whoever reaches this machine can chat and upload here, from any site.\n\n", c.Host)
	}
	fmt.Fprint(out, "  Ctrl-C stops it. What was said is kept; make run RESET=1 begins anew.\n\n")
}

// Command local runs all of Parley on this machine: see `make run`.
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

	"parley/local/bundle"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	if err := run(ctx, os.Getenv, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "parley:", strings.ReplaceAll(err.Error(), "\n", "; "))
		os.Exit(1)
	}
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
  key      %s
  private  %s
  files    %s
  agent    %s
  data     %s

`, b.Page, b.Key, b.PrivateKey, b.Files, answers, folder)
	if c.Host != "" && c.Host != "localhost" {
		fmt.Fprintf(out, "  HOST=%s: whoever reaches this machine can chat and upload here, from any site.\n\n", c.Host)
	}
	fmt.Fprint(out, "  Ctrl-C stops it. What was said is kept; make run RESET=1 begins anew.\n\n")
}

// Package awstest is a test kit: it starts local servers that speak AWS's
// protocols. A server that is not installed skips the test, except when the
// environment has CI=true: then it fails.
package awstest

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// patience is how long a server may take to start. DynamoDB Local needs about
// 2 s of an idle machine.
const patience = time.Minute

// A server is a program that all tests of a binary share. It starts with the
// first of them and ends with the binary.
type server struct {
	mu      sync.Mutex
	running bool
	// address is where it listens: host and port.
	address string
	// alive is the standard input whose end stops the program.
	alive io.Closer
}

// A program is how to run a server.
type program struct {
	// command returns the program and its arguments, given an address on which
	// nobody listens and a folder that is removed in the end.
	command func(address, folder string) []string
	// ready returns nil when the server at the address can be used.
	ready func(ctx context.Context, address string) error
}

// once starts the server if it does not run yet and returns its address.
func (s *server) once(p program) (address string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		if err := s.start(p); err != nil {
			return "", fmt.Errorf("start server: %w", err)
		}
		s.running = true
	}
	return s.address, nil
}

// script runs a program until standard input ends, which it does when the test
// binary is gone, whatever became of it, and then removes the folder.
const script = `folder=$1; shift; "$@" </dev/null & cat >/dev/null; kill $!; wait; rm -rf "$folder"`

func (s *server) start(p program) error {
	folder, err := os.MkdirTemp("", "awstest-")
	if err != nil {
		return err
	}
	if s.address, err = freeAddress(); err != nil {
		return err
	}
	command := p.command(s.address, folder)
	cmd := exec.Command("sh", append([]string{"-c", script, "sh", folder}, command...)...)
	if s.alive, err = cmd.StdinPipe(); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(folder, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := s.await(p); err != nil {
		said, _ := os.ReadFile(log.Name())
		s.alive.Close()
		return fmt.Errorf("%s: %w; it said: %s", command[0], err, said)
	}
	return nil
}

// await returns when the server can be used.
func (s *server) await(p program) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := p.ready(ctx, s.address)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready within %v: %w", patience, err)
		case <-tick.C:
		}
	}
}

// freeAddress is an address of this machine on which nobody listens.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// root is the folder of go.mod, found upwards from the test's own.
func root(t testing.TB) string {
	t.Helper()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder
		}
		if folder == filepath.Dir(folder) {
			t.Fatal("no go.mod above the working directory")
		}
		folder = filepath.Dir(folder)
	}
}

// missing skips the test for want of a program; under CI it fails.
func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// asParley makes the test binary be Parley itself, for tests that need a
// process of its own: one that exits, or is killed.
const asParley = "BE_PARLEY"

func TestMain(m *testing.M) {
	if os.Getenv(asParley) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// patience is how long anything may take on a busy machine.
const patience = 30 * time.Second

// command prepares a Parley that keeps its data below a folder. Of the test's
// own environment it gets nothing.
func command(folder string, env ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Dir = folder
	// No machine of AWS is asked for credentials, and no file of the developer's.
	cmd.Env = append([]string{asParley + "=1", "HOME=" + folder, "AWS_EC2_METADATA_DISABLED=true"}, env...)
	return cmd
}

// process is a running Parley.
type process struct {
	t         *testing.T
	cmd       *exec.Cmd
	page, key string
	private   string // a private key of an operator
	said      string // when it had started
	exited    chan struct{}
	log       *buffer
}

// start runs a Parley, on free ports unless env says which, and waits until it has said where.
func start(t *testing.T, folder string, env ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: command(folder, append([]string{"PORT=0"}, env...)...), exited: make(chan struct{}), log: &buffer{}}
	out := &buffer{}
	p.cmd.Stdout, p.cmd.Stderr = out, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.exited)
		p.cmd.Wait()
	}()
	t.Cleanup(func() { p.kill(syscall.SIGKILL) })
	waitFor(t, "the addresses", func() bool {
		select {
		case <-p.exited:
			t.Fatalf("Parley ended: %s", p.log)
		default:
		}
		return strings.Contains(out.String(), "Ctrl-C")
	})
	p.said = out.String()
	p.page, p.key = addresses(t, p.said)
	p.private = privateKey(t, p.said)
	return p
}

// kill sends a signal and returns the exit code, -1 if a signal ended it.
func (p *process) kill(s syscall.Signal) int {
	p.t.Helper()
	_ = p.cmd.Process.Signal(s) // it may be gone already
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.t.Fatalf("%v does not end Parley: %s", s, p.log)
	}
	return p.cmd.ProcessState.ExitCode()
}

var greeting = regexp.MustCompile(`(?s)page +(http://\S+)/\n.*key +(pk_test_\w+)\n`)

// addresses reads what Parley says when it has started.
func addresses(t *testing.T, text string) (page, key string) {
	t.Helper()
	found := greeting.FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("Parley says %q, want page and key", text)
	}
	return found[1], found[2]
}

var keyShown = regexp.MustCompile(`private +(sk_test_\w+)\n`)

// privateKey reads the operator's key in what Parley says when it has started.
func privateKey(t *testing.T, text string) string {
	t.Helper()
	found := keyShown.FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("Parley says %q, want a private key", text)
	}
	return found[1]
}

// waitFor returns as soon as a condition holds.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("no %s within %v", what, patience)
		case <-tick.C:
		}
	}
}

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// refused runs a Parley that must not start, and returns the line it says.
func refused(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("Parley ended with %v, want exit code 1; it said %q", err, log.String())
	}
	line, rest, _ := strings.Cut(log.String(), "\n")
	if rest != "" || !strings.HasPrefix(line, "parley: ") || out.Len() > 0 {
		t.Fatalf("Parley said %q and %q, want one line", out.String(), log.String())
	}
	return line
}

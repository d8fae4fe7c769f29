package sam

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// program finds what .ci/tools installs; SAM may be the system's own.
func program(root, name string) (string, error) {
	home := map[string]string{"sam": "sam/bin"}[name]
	if home == "" {
		home = "bin"
	}
	path, err := filepath.Abs(filepath.Join(root, ".cache", home, name))
	if err == nil {
		path, err = exec.LookPath(path)
	}
	if err != nil {
		return "", fmt.Errorf("%s is not installed: run .ci/tools/%s", name, name)
	}
	return path, nil
}

// Times that programs have.
const (
	patience = time.Minute      // to start; SAM takes 3 s of an idle machine
	grace    = 20 * time.Second // to end, in which SAM removes its containers
)

// run starts a program that lives as long as the stack, and returns when it is ready.
func (s *Stack) run(name string, command *exec.Cmd, ready func() error) error {
	said := &tail{}
	command.Stdout = io.MultiWriter(s.log, said)
	command.Stderr = command.Stdout
	if err := command.Start(); err != nil {
		return err
	}
	gone := make(chan struct{})
	var closing sync.Once
	closed := make(chan struct{})
	go func() {
		defer close(gone)
		err := command.Wait()
		select {
		case <-closed:
		default:
			select {
			case s.ended <- fmt.Errorf("%s has ended: %v: %s", name, err, said):
			default: // the first is enough
			}
		}
	}()
	s.onClose(func() {
		closing.Do(func() { close(closed) })
		_ = command.Process.Signal(syscall.SIGTERM) // it may be gone already
		select {
		case <-gone:
		case <-time.After(grace):
			_ = command.Process.Kill()
			<-gone
		}
	})
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-gone:
			return fmt.Errorf("%s does not start: %s", name, said)
		case <-late:
			return fmt.Errorf("%s does not start within %v: %w: %s", name, patience, err, said)
		case <-tick.C:
		}
	}
}

func (s *Stack) onClose(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closes = append(s.closes, f)
}

// listens is nil once somebody listens at a port.
func listens(ctx context.Context, port string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return err
	}
	return conn.Close()
}

// freePort returns a port at which nobody listens on any address. It is below those that
// a system gives to who asks for any port (from 32768 on with Linux, 49152 elsewhere), so
// that no other program is given it before the one that is started takes it.
func freePort() (string, error) {
	const first, end, tries = 20000, 32000, 20
	var err error
	for range tries {
		var l net.Listener
		port := strconv.Itoa(first + rand.IntN(end-first))
		if l, err = net.Listen("tcp", ":"+port); err == nil {
			return port, l.Close()
		}
	}
	return "", err
}

// tail keeps the last of what a program says, for the error that tells of its end.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailBytes = 2 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if n := len(t.text) - tailBytes; n > 0 {
		t.text = append([]byte(nil), t.text[n:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.text))
}

// locked is a writer for several programs.
type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

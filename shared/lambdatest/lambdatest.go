// Package lambdatest is a test kit: it runs compiled functions as Lambda would.
// They run against a server that speaks the Runtime API, one invocation at a time
// in a process, another process while all are busy, frozen between invocations,
// killed at the timeout. URLHandler and APIHandler put a function URL or an HTTP API in
// front, so that a test of an http.Handler runs over binaries unchanged, and
// InvokeAPI is what the SDK's Invoke talks to.
//
// What Lambda does that it does not: limits of memory and processor, logs by
// invocation, retries of asynchronous invocations (a template sets them to 0),
// and, outside of Linux, freezing.
package lambdatest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Config says how a Function runs.
type Config struct {
	// Binary is the bootstrap, as Build returns it. Required.
	Binary string
	// Name is the function's name; "" is the name of the binary.
	Name string
	// Env is added to the environment that Lambda gives every function, and
	// wins over it. Nothing else of the test's own environment is passed on.
	Env map[string]string
	// Timeout is when an invocation is ended by killing its process; 0 is 30 s.
	Timeout time.Duration
	// MaxInstances is how many processes there are at most, the function's
	// concurrency; 0 is 10.
	MaxInstances int
}

// MaxPayload is the longest event and the longest answer that is not streamed,
// in bytes (Lambda quotas: 6 MB).
const MaxPayload = 6 << 20

// ErrThrottled means that all processes are busy and there may be no more.
var ErrThrottled = errors.New("throttled: all instances are busy")

// Error is a failed invocation, as Lambda tells it.
type Error struct {
	// Type is the function's own, or one of Lambda's: Runtime.ExitError,
	// Sandbox.Timedout, Function.ResponseSizeTooLarge.
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

func (e *Error) Error() string { return e.Type + ": " + e.Message }

// Function is a compiled function. It is safe for concurrent use.
type Function struct {
	cfg Config
	log logBuffer
	// slots has room for one token for each process that is not idle.
	slots chan struct{}

	begun atomic.Int64 // invocations that a process was given

	mu     sync.Mutex
	closed bool
	all    map[*instance]bool
	idle   []*instance // the one used last is used next, as Lambda seems to do
	async  sync.WaitGroup
}

// Start returns the function, whose first process starts with the first
// invocation. When the test ends its processes are terminated, and what they
// wrote is shown if the test failed.
func Start(t testing.TB, cfg Config) *Function {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name = filepath.Base(cfg.Binary)
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.MaxInstances == 0 {
		cfg.MaxInstances = 10
	}
	f := &Function{cfg: cfg, slots: make(chan struct{}, cfg.MaxInstances), all: map[*instance]bool{}}
	t.Cleanup(func() {
		f.stop()
		if t.Failed() {
			t.Logf("output of %s:\n%s", cfg.Name, f.Log())
		}
	})
	return f
}

// Log returns what the function's processes have written so far, and the
// errors of its asynchronous invocations.
func (f *Function) Log() string { return f.log.String() }

// Instances returns how many processes there are, busy or idle.
func (f *Function) Instances() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.all)
}

// Begun returns how many invocations processes were given so far.
func (f *Function) Begun() int64 { return f.begun.Load() }

// Peak returns the most memory that any of the function's processes that still run
// has had, in bytes; 0 where the system does not tell.
func (f *Function) Peak() int64 {
	var most int64
	for _, in := range f.instances() {
		most = max(most, peak(in.cmd.Process))
	}
	return most
}

// Init starts one more process and returns how long it took until it asked for
// its first event, which is what Lambda reports as Init Duration.
func (f *Function) Init() (time.Duration, error) {
	select {
	case f.slots <- struct{}{}:
	default:
		return 0, ErrThrottled
	}
	in, err := f.spawn()
	if err != nil {
		return 0, err
	}
	select {
	case <-in.ready:
		f.release(in)
		return in.initTook, nil
	case <-in.exited:
		return 0, in.failure()
	}
}

// Kill kills every process that is serving an invocation, as when a sandbox is
// lost, and returns how many there were. Their invocations end with
// Runtime.ExitError.
func (f *Function) Kill() int {
	n := 0
	for _, in := range f.instances() {
		if in.serving() {
			in.kill(nil)
			<-in.exited
			n++
		}
	}
	return n
}

// acquire returns a process that nobody else uses. With wait it waits for one
// where there may be no more.
func (f *Function) acquire(wait bool) (*instance, error) {
	select {
	case f.slots <- struct{}{}:
	default:
		if !wait {
			return nil, ErrThrottled
		}
		f.slots <- struct{}{}
	}
	f.mu.Lock()
	if n := len(f.idle); n > 0 {
		in := f.idle[n-1]
		f.idle = f.idle[:n-1]
		in.slot = true
		f.mu.Unlock()
		return in, nil
	}
	f.mu.Unlock()
	return f.spawn()
}

// release takes a process back that has asked for its next event.
func (f *Function) release(in *instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if in.slot && f.all[in] {
		in.slot = false
		f.idle = append(f.idle, in)
		<-f.slots
	}
}

// forget drops a process that has exited.
func (f *Function) forget(in *instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.all, in)
	f.idle = slices.DeleteFunc(f.idle, func(other *instance) bool { return other == in })
	if in.slot {
		in.slot = false
		<-f.slots
	}
}

func (f *Function) instances() []*instance {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Keys(f.all))
}

func (f *Function) stop() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	var done sync.WaitGroup
	for _, in := range f.instances() {
		done.Go(in.terminate)
	}
	done.Wait()
	f.async.Wait()
}

// logBuffer collects the output of several processes.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logBuffer) printf(format string, args ...any) { fmt.Fprintf(l, format+"\n", args...) }

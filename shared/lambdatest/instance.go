package lambdatest

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

const (
	// initTimeout is how long a process may take to ask for its first event (Lambda quotas).
	initTimeout = 10 * time.Second
	// termGrace is the time between SIGTERM and SIGKILL (Lambda Runtime API).
	termGrace = 500 * time.Millisecond
)

// instance is one process of a function and the Runtime API that it talks to.
type instance struct {
	f      *Function
	cmd    *exec.Cmd
	server *http.Server
	// events hands an invocation to the process once it asks for one.
	events  chan *invocation
	started time.Time
	running chan struct{} // closed when cmd.Process is known, or nil for ever
	// ready is closed when the process asks for its first event.
	ready    chan struct{}
	initTook time.Duration // valid once ready is closed
	exited   chan struct{}
	slot     bool // holds a slot of the function; guarded by f.mu

	mu      sync.Mutex
	current *invocation
	timer   *time.Timer // kills the process when its time is up
	cause   error       // why it was killed or exited
}

// spawn starts a process for the caller, who holds a slot for it.
func (f *Function) spawn() (*instance, error) {
	in := &instance{f: f, slot: true, events: make(chan *invocation),
		running: make(chan struct{}), ready: make(chan struct{}), exited: make(chan struct{})}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		<-f.slots
		return nil, err
	}
	in.server = &http.Server{Handler: in.runtimeAPI()}
	in.cmd = exec.Command(f.cfg.Binary)
	in.cmd.Env = f.environment(listener.Addr().String())
	in.cmd.Stdout, in.cmd.Stderr = &f.log, &f.log
	in.cmd.SysProcAttr = processAttributes()

	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		listener.Close()
		<-f.slots
		return nil, fmt.Errorf("function %s is stopped", f.cfg.Name)
	}
	in.started = time.Now()
	in.timer = time.AfterFunc(initTimeout, func() {
		in.kill(&Error{"Sandbox.Timedout", fmt.Sprintf("Init timed out after %v", initTimeout)})
	})
	go in.server.Serve(listener)
	go in.run()
	<-in.running
	if in.cmd.Process == nil {
		<-f.slots
		return nil, in.failure()
	}
	f.all[in] = true
	return in, nil
}

// environment is what Lambda sets for a function on an OS-only runtime.
func (f *Function) environment(runtimeAPI string) []string {
	env := map[string]string{
		"AWS_LAMBDA_RUNTIME_API":          runtimeAPI,
		"AWS_LAMBDA_FUNCTION_NAME":        f.cfg.Name,
		"AWS_LAMBDA_FUNCTION_VERSION":     "$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
		"AWS_LAMBDA_LOG_FORMAT":           "JSON",
		"AWS_REGION":                      "us-east-1",
		"AWS_DEFAULT_REGION":              "us-east-1",
		"AWS_ACCESS_KEY_ID":               "lambdatest",
		"AWS_SECRET_ACCESS_KEY":           "lambdatest",
		"_HANDLER":                        "bootstrap",
		"PATH":                            "/usr/local/bin:/usr/bin:/bin",
		"LANG":                            "en_US.UTF-8",
		"TZ":                              ":UTC",
	}
	maps.Copy(env, f.cfg.Env)
	var list []string
	for k, v := range env {
		list = append(list, k+"="+v)
	}
	slices.Sort(list)
	return list
}

// run is the life of the process. It keeps its thread, because on Linux the
// process dies with the thread that started it.
func (in *instance) run() {
	runtime.LockOSThread()
	err := in.cmd.Start()
	if err == nil {
		close(in.running)
		err = in.cmd.Wait()
	}
	in.mu.Lock()
	in.timer.Stop()
	in.current = nil
	if in.cause == nil {
		in.cause = &Error{"Runtime.ExitError", fmt.Sprintf("Runtime exited: %v", err)}
	}
	in.mu.Unlock()
	in.server.Close()
	if in.cmd.Process == nil {
		close(in.running)
	} else {
		in.f.forget(in)
	}
	close(in.exited)
}

// failure is why the process ended, once it has.
func (in *instance) failure() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.cause
}

func (in *instance) serving() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.current != nil
}

// kill ends the process at once. A nil cause is told from its exit status.
func (in *instance) kill(cause error) {
	in.mu.Lock()
	if in.cause == nil && cause != nil {
		in.cause = cause
	}
	in.mu.Unlock()
	in.cmd.Process.Kill()
}

func (in *instance) terminate() {
	thaw(in.cmd.Process)
	in.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-in.exited:
	case <-time.After(termGrace):
		in.kill(nil)
		<-in.exited
	}
}

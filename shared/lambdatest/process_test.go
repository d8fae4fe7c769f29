package lambdatest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"parley/shared/lambdatest"
)

func TestKill(t *testing.T) {
	g := newGate(t)
	f := start(t, "web", lambdatest.Config{Env: g.env()})
	base := serve(t, lambdatest.URLHandler(f))
	response := do(t, t.Context(), "GET", base+"/steps/2", nil, "")
	defer response.Body.Close()
	g.await(t)
	if n := f.Kill(); n != 1 {
		t.Errorf("Kill = %d, want 1", n)
	}
	if body, err := io.ReadAll(response.Body); err == nil || string(body) != "step 0\n" {
		t.Errorf("read %q, %v; want a body that breaks off", body, err)
	}
	if status, _ := get(t, base+"/pid"); status != http.StatusOK || f.Instances() != 1 {
		t.Errorf("afterwards: %d from %d instances; want another process to answer", status, f.Instances())
	}
	if n := f.Kill(); n != 0 {
		t.Errorf("Kill of an idle function = %d, want 0", n)
	}
}

func TestTimeout(t *testing.T) {
	g := newGate(t)
	f := start(t, "event", lambdatest.Config{Env: g.env(), Timeout: 300 * time.Millisecond})
	begin := time.Now()
	_, err := f.Invoke(t.Context(), []byte(`{"do":"wait"}`))
	if e, ok := err.(*lambdatest.Error); !ok || e.Type != "Sandbox.Timedout" || !strings.Contains(e.Message, "0.30 seconds") {
		t.Errorf("error = %v; want a timeout", err)
	}
	if took := time.Since(begin); took < 300*time.Millisecond {
		t.Errorf("timed out after %v", took)
	}
	until(t, "the process is gone", func() bool { return f.Instances() == 0 })
}

// TestTimeoutCutsStream: the adapter's margin is half of so short a timeout,
// and the handler here does not heed it.
func TestTimeoutCutsStream(t *testing.T) {
	g := newGate(t)
	f := start(t, "web", lambdatest.Config{Env: g.env(), Timeout: 300 * time.Millisecond})
	response := do(t, t.Context(), "GET", serve(t, lambdatest.URLHandler(f))+"/steps/1", nil, "")
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err == nil || string(body) != "step 0\n" {
		t.Errorf("read %q, %v; want a body that breaks off", body, err)
	}
}

func TestProcessThatExits(t *testing.T) {
	for front, want := range map[string]int{"url": http.StatusBadGateway, "api": http.StatusInternalServerError} {
		f := start(t, "web", lambdatest.Config{})
		base := serve(t, fronts[front](f))
		if status, _ := get(t, base+"/exit"); status != want {
			t.Errorf("%s: %d, want %d", front, status, want)
		}
		if status, _ := get(t, base+"/pid"); status != http.StatusOK {
			t.Errorf("%s: %d from the next process", front, status)
		}
	}
}

func TestOneInvocationAProcess(t *testing.T) {
	g := newGate(t)
	f := start(t, "web", lambdatest.Config{Env: g.env(), MaxInstances: 2})
	base := serve(t, lambdatest.URLHandler(f))
	_, first := get(t, base+"/pid")
	if _, second := get(t, base+"/pid"); second != first || f.Instances() != 1 {
		t.Errorf("one request after another used processes %s and %s", first, second)
	}
	var open []*http.Response
	for range 2 {
		response := do(t, t.Context(), "GET", base+"/steps/1", nil, "")
		defer response.Body.Close()
		open = append(open, response)
		g.await(t)
	}
	if n := f.Instances(); n != 2 {
		t.Errorf("two requests at once use %d processes", n)
	}
	if status, _ := get(t, base+"/pid"); status != http.StatusTooManyRequests {
		t.Errorf("third at once: %d, want %d", status, http.StatusTooManyRequests)
	}
	if status, _ := get(t, serve(t, lambdatest.APIHandler(f))+"/pid"); status != http.StatusServiceUnavailable {
		t.Errorf("third at once through the API: %d, want %d", status, http.StatusServiceUnavailable)
	}
	if _, err := f.Init(); err != lambdatest.ErrThrottled {
		t.Errorf("Init of a third: %v, want %v", err, lambdatest.ErrThrottled)
	}
	for _, response := range open {
		g.pass(t)
		io.Copy(io.Discard, response.Body)
	}
	until(t, "there is room again", func() bool { status, _ := get(t, base+"/pid"); return status == http.StatusOK })
}

// TestFrozen: between invocations a process stands still, as on Lambda.
func TestFrozen(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("processes are frozen on Linux only")
	}
	f := start(t, "web", lambdatest.Config{})
	base := serve(t, lambdatest.URLHandler(f))
	for range 3 {
		_, pid := get(t, base+"/pid")
		until(t, "process "+pid+" is stopped", func() bool {
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%s/stat", pid))
			return err == nil && strings.Contains(string(stat), ") T ")
		})
	}
}

func TestInit(t *testing.T) {
	f := start(t, "web", lambdatest.Config{})
	for i := range 2 {
		took, err := f.Init()
		if err != nil || took <= 0 || f.Instances() != i+1 {
			t.Errorf("Init = %v, %v with %d instances", took, err, f.Instances())
		}
	}
	if status, _ := get(t, serve(t, lambdatest.URLHandler(f))+"/pid"); status != http.StatusOK || f.Instances() != 2 {
		t.Errorf("then %d from %d instances; want a process that waits to answer", status, f.Instances())
	}
}

func TestInitThatFails(t *testing.T) {
	f := start(t, "broken", lambdatest.Config{})
	_, initErr := f.Init()
	_, err := f.Invoke(context.Background(), []byte("{}"))
	for _, err := range []error{initErr, err} {
		if e, ok := err.(*lambdatest.Error); !ok || e.Type != "Runtime.ExitError" || !strings.Contains(e.Message, "exit status 7") {
			t.Errorf("error = %v; want the exit status", err)
		}
	}
	if got := strings.Count(f.Log(), "PARLEY_TABLE is not set"); got != 2 {
		t.Errorf("log = %q", f.Log())
	}
}

// TestKilledInTheEnd: a process that does not heed SIGTERM does not outlive the test.
func TestKilledInTheEnd(t *testing.T) {
	var f *lambdatest.Function
	t.Run("test", func(t *testing.T) {
		f = start(t, "event", lambdatest.Config{Env: map[string]string{"DEAF": "1"}})
		if _, err := f.Init(); err != nil {
			t.Fatal(err)
		}
	})
	if f.Instances() != 0 || strings.Contains(f.Log(), "asked to terminate") {
		t.Errorf("%d processes are left", f.Instances())
	}
}

func TestTerminatedInTheEnd(t *testing.T) {
	var f *lambdatest.Function
	t.Run("test", func(t *testing.T) {
		f = start(t, "event", lambdatest.Config{})
		for range 2 {
			if _, err := f.Init(); err != nil {
				t.Fatal(err)
			}
		}
	})
	if n := strings.Count(f.Log(), "asked to terminate"); n != 2 || f.Instances() != 0 {
		t.Errorf("%d of 2 processes were asked to terminate, %d are left", n, f.Instances())
	}
	if _, err := f.Invoke(t.Context(), []byte("{}")); err == nil {
		t.Error("the function still answers")
	}
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// suite is all compiled tests.
type suite struct {
	binaries []*binary
	all      []*test
	skip     string // as -test.skip
	// patience is how much longer than five times the usual tests may take.
	patience time.Duration
}

// binary is the tests of one package.
type binary struct{ file, dir string }

// test is one test function.
type test struct {
	*binary
	name string
	took time.Duration
	// reaches are the numbers of the mutants that it comes by.
	reaches map[int]bool
}

// record runs every test by itself, without a mutant, and notes what it reaches.
// A test that fails then is an error.
func (s *suite) record(ctx context.Context, folder string, procs int) error {
	for _, b := range s.binaries {
		out, err := b.run(ctx, time.Minute, nil, "-test.list=.*")
		if err != nil {
			return fmt.Errorf("list tests of %s: %w\n%s", b.dir, err, out)
		}
		for name := range strings.FieldsSeq(out) {
			if strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Fuzz") || strings.HasPrefix(name, "Example") {
				s.all = append(s.all, &test{binary: b, name: name})
			}
		}
	}
	return parallel(procs, s.all, func(t *test) error {
		seen := filepath.Join(folder, fmt.Sprintf("seen.%s.%s", filepath.Base(t.file), t.name))
		began := time.Now()
		out, err := t.run(ctx, 20*time.Minute, []string{"MUTANTS_SEEN=" + seen}, t.pattern(), "-test.skip="+s.skip)
		if err != nil {
			return fmt.Errorf("%s in %s fails without a mutant: %w\n%s", t.name, t.dir, err, out)
		}
		t.took = time.Since(began)
		return t.readReached(seen)
	})
}

func (t *test) readReached(name string) error {
	t.reaches = map[int]bool{}
	content, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) { // not a process of it has run a line of what is changed
		return nil
	}
	for line := range strings.FieldsSeq(string(content)) {
		id, err := strconv.Atoi(line)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		t.reaches[id] = true
	}
	return err
}

func (t *test) pattern() string { return "-test.run=^" + t.name + "$" }

// took is how long all tests take, one after another.
func (s *suite) took() time.Duration {
	var sum time.Duration
	for _, t := range s.all {
		sum += t.took
	}
	return sum.Round(time.Second)
}

// errTimeout is the error of tests that did not end in time.
var errTimeout = errors.New("timed out")

// run runs the tests in a process group of their own, of which nothing is left
// when it returns.
func (b *binary) run(ctx context.Context, timeout time.Duration, env []string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errTimeout)
	defer cancel()
	c := exec.CommandContext(ctx, b.file, append([]string{"-test.timeout=0", "-test.count=1"}, args...)...)
	c.Dir, c.Env = b.dir, append(os.Environ(), env...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = time.Second
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	if c.Process != nil {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // what a test started and a failure left
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return out.String(), err
}

// parallel calls do for every element, so many at a time. After an error no more
// are begun; the first is returned.
func parallel[T any](procs int, all []T, do func(T) error) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	next := 0
	take := func(err error) (one T, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		if failed == nil {
			failed = err
		}
		if failed != nil || next == len(all) {
			return one, false
		}
		next++
		return all[next-1], true
	}
	for range procs {
		wg.Go(func() {
			var err error
			for one, ok := take(nil); ok; one, ok = take(err) {
				err = do(one)
			}
		})
	}
	wg.Wait()
	return failed
}

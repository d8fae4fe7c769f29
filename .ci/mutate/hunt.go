package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// outcome is what became of a mutant.
type outcome int

const (
	survived  outcome = iota // the tests that reach it pass
	unreached                // no test reaches it
	caught                   // a test failed
	endless                  // the tests did not end
)

// pick returns a sample of those whose place contains at, the same for the same
// seed; a size of 0 means all.
func pick(all []*mutant, at string, size int, seed uint64) []*mutant {
	some := slices.DeleteFunc(slices.Clone(all), func(m *mutant) bool { return !strings.Contains(m.where(), at) })
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
	if size > 0 && size < len(some) {
		some = some[:size]
	}
	return some
}

func (m *mutant) isCaught() bool { return m.outcome == caught || m.outcome == endless }

// hunt tries mutants, so many at a time, and tells of each and of the time since
// the beginning.
func (s *suite) hunt(ctx context.Context, mutants []*mutant, procs int, tell func(*mutant, time.Duration)) error {
	began := time.Now()
	var mu sync.Mutex
	return parallel(procs, mutants, func(m *mutant) error {
		if err := s.try(ctx, m); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		tell(m, time.Since(began))
		return nil
	})
}

// try runs the tests that reach a mutant, the quickest first, until one fails.
func (s *suite) try(ctx context.Context, m *mutant) error {
	m.outcome = unreached
	for _, b := range s.batches(m.id) {
		m.outcome = survived
		// A busy machine is no reason to call a mutant caught.
		out, err := b.run(ctx, s.patience+5*b.took, []string{fmt.Sprintf("MUTANT=%d", m.id)}, "-test.failfast", "-test.run="+b.pattern(), "-test.skip="+s.skip)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, errTimeout):
			m.outcome, m.by = endless, b.names[0]
			return nil
		case err != nil:
			m.outcome, m.by = caught, failing(out)
			return nil
		}
	}
	return nil
}

// failing is the first test of which the output says that it failed.
func failing(out string) string {
	for line := range strings.Lines(out) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "--- FAIL: "); ok {
			name, _, _ := strings.Cut(rest, " ")
			return name
		}
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return strings.TrimSpace(line)
		}
	}
	return "a test's process"
}

// batch is some tests of one binary, run by one process.
type batch struct {
	*binary
	names []string
	took  time.Duration
}

func (b batch) pattern() string { return "^(" + strings.Join(b.names, "|") + ")$" }

// batches returns the tests that reach a mutant. Each round takes four times as
// long as the one before, so that most mutants are caught by a short one.
func (s *suite) batches(id int) []*batch {
	tests := slices.DeleteFunc(slices.Clone(s.all), func(t *test) bool { return !t.reaches[id] })
	slices.SortStableFunc(tests, func(a, b *test) int { return int(a.took - b.took) })
	var all, round []*batch
	left := 250 * time.Millisecond
	room := left
	for _, t := range tests {
		if left < t.took && len(round) > 0 {
			all, round = append(all, round...), nil
			room *= 4
			left = room
		}
		left -= t.took
		i := slices.IndexFunc(round, func(b *batch) bool { return b.binary == t.binary })
		if i < 0 {
			i, round = len(round), append(round, &batch{binary: t.binary})
		}
		round[i].names, round[i].took = append(round[i].names, t.name), round[i].took+t.took
	}
	return append(all, round...)
}

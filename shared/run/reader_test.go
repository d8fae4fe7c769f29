package run_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/table"
)

// TestBeats: a reader is told that the connection lives whenever nothing has come
// for a while, and reads no more once it cannot be told.
func TestBeats(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		beats := 0
		read := func(q parley.SendRequest, leave int) error {
			sent, claim, err := s.engine.Send(s.Context(), s.visitor, q)
			if err != nil {
				s.Fatal(err)
			}
			return s.engine.Relay(s.Context(), sent.Ref, 0, claim, run.Reader{Every: 10 * time.Second,
				Beat: func() error {
					if beats++; beats == leave {
						return errGone
					}
					return nil
				},
				Event: func(e run.Event) error {
					if leave > 0 {
						s.Errorf("a reader who has left gets %+v", e)
					}
					return nil
				}})
		}
		if err := read(question(silently, ""), 0); err != nil || beats != 2 {
			s.Errorf("%d beats in 25 s, %v", beats, err)
		}
		beats = 0
		if err := read(question(silently+" again", ""), 1); err != errGone || beats != 1 {
			s.Errorf("%d beats of a reader who leaves at the first, %v", beats, err)
		}
	})
}

// queries is a table that notes when logs are read.
type queries struct {
	table.Table
	mu  sync.Mutex
	at  map[string][]time.Duration // by the partition, since the one before
	was map[string]time.Time
}

func (q *queries) Query(ctx context.Context, query table.Query) (table.Page, error) {
	q.mu.Lock()
	if was := q.was[query.Partition]; !was.IsZero() {
		q.at[query.Partition] = append(q.at[query.Partition], time.Since(was))
	}
	q.was[query.Partition] = time.Now()
	q.mu.Unlock()
	return q.Table.Query(ctx, query)
}

// of is the pauses between readings of a run's log.
func (q *queries) of(id string) []time.Duration {
	for partition, at := range q.at {
		if strings.HasSuffix(partition, "/"+id) {
			return at
		}
	}
	return nil
}

// TestPolls: a reader polls a log soon after new text, and in silence ever less, and
// one that waits for its turn looks after the run ahead of it once a lease.
func TestPolls(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		steps := []agenttest.Step{{Delta: "One,"}, {Delay: 1800 * time.Millisecond, Delta: " two,"}, {Delay: 23 * time.Second, Delta: " three."}}
		s.script = agenttest.New(agenttest.Always(steps...))
		_, runner := s.process(s.table)
		q := &queries{Table: s.table, at: map[string][]time.Duration{}, was: map[string]time.Time{}}
		_, reader := s.process(q)
		sent, claim, err := runner.Send(s.Context(), s.visitor, question("first", ""))
		if err != nil {
			s.Fatal(err)
		}
		next := question("second", sent.Session.ID)
		next.Claim = false
		waiting, _, err := runner.Send(s.Context(), s.visitor, next)
		if err != nil {
			s.Fatal(err)
		}
		var all sync.WaitGroup
		all.Go(func() {
			if err := runner.Stream(s.Context(), sent.Ref, 0, claim, func(run.Event) error { return nil }); err != nil {
				s.Error(err)
			}
		})
		synctest.Wait()
		if _, end, err := reader.Wait(s.Context(), sent.Ref, 1900*time.Millisecond, run.Stay{}); err != nil || end != nil {
			s.Errorf("the reader is told %+v, %v", end, err)
		}
		polled := q.of("first")
		ms := time.Millisecond
		want := []time.Duration{100 * ms, 150 * ms, 225 * ms, 337*ms + 500*time.Microsecond, 500 * ms, 500 * ms}
		if len(polled) < len(want) || !slices.Equal(polled[:len(want)], want) {
			s.Errorf("polled after %v, want %v", polled, want)
		}
		q.at, q.was = map[string][]time.Duration{}, map[string]time.Time{}
		if _, end, err := reader.Wait(s.Context(), waiting.Ref, 22*time.Second, run.Stay{}); err != nil || end != nil {
			s.Errorf("the waiting one is told %+v, %v", end, err)
		}
		for _, pause := range q.of("first") {
			if pause < parley.Lease || pause > parley.Lease+time.Second {
				s.Errorf("the waiting one reads the log ahead of it after %v", q.of("first"))
			}
		}
		if n := len(q.of("first")); n != 2 {
			s.Errorf("the waiting one reads the log ahead of it %d times more, want 2", n)
		}
		all.Wait()
		s.wants("the waiting one", s.read(waiting.Ref, 0), agenttest.Text(steps), parley.StatusDone)
	})
}

// TestEndsByOthersAreNoErrors: a run that somebody else ends is nothing to look at.
func TestEndsByOthersAreNoErrors(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		var log bytes.Buffer
		config := s.engine.Config
		config.Log = slog.New(slog.NewTextHandler(&log, nil))
		config.Agent = func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return counted{s}, nil }
		e, err := run.New(config)
		if err != nil {
			s.Fatal(err)
		}
		for name, end := range map[string]func(id parley.SessionID) error{
			"cancelled": func(id parley.SessionID) error {
				_, err := e.Cancel(s.Context(), s.visitor, id, "")
				return err
			},
			"taken over": func(id parley.SessionID) error {
				return s.store.TakeOver(s.Context(), parleytest.Operator(), id, parley.Author{Kind: parley.AuthorHuman, ID: "ola", Name: "Ola"})
			},
		} {
			sent, claim, err := e.Send(s.Context(), s.visitor, question(slowly+" "+name, ""))
			if err != nil {
				s.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- e.Stream(s.Context(), sent.Ref, 0, claim, func(run.Event) error { return nil }) }()
			time.Sleep(3 * time.Second)
			if err := end(sent.Session.ID); err != nil {
				s.Error(err)
			}
			if err := <-done; err != nil || log.Len() > 0 {
				s.Errorf("%s: %v, logged %s", name, err, &log)
			}
		}
	})
}

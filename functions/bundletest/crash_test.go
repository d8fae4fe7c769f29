package bundletest

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/shared/api/apitest"
	"parley/shared/parley"
)

// TestKilled loses processes in the middle of replies. The sweep looks at a run
// a minute after it began, so other tests run meanwhile.
func TestKilled(t *testing.T) {
	long(t)
	s := deploy(t, functionURLs)
	v := s.visitor(t)
	swept, sweptEarly := v.begin(s, "Swept?", true), v.begin(s, "Swept early?", false)
	read, readEarly := v.begin(s, "Read?", true), v.begin(s, "Read early?", false)
	if n := s.functions["chat"].Kill(); n != 4 {
		t.Fatalf("%d processes of chat were serving, want 4", n)
	}
	for _, l := range []*lost{swept, sweptEarly, read, readEarly} {
		l.stream.breaks()
	}
	reader, readerEarly := v.resume(read.session, read.run, read.last), v.resume(readEarly.session, readEarly.run, readEarly.last)
	answer := v.beginWhole(s)
	s.sweepTwice(t) // from here on it catches up
	t.Parallel()    // the tests that are not parallel go on from here

	if got := <-reader; got.err != nil || got.text != "" || got.end.Status != parley.StatusIncomplete || got.end.Message.Text != "Half" {
		t.Errorf("who had read half a reply gets %+v", got)
	}
	read.asked(t, s, 1)
	if got := <-readerEarly; got.err != nil || got.text != "A whole reply." || got.end.Status != parley.StatusDone {
		t.Errorf("who had read nothing gets %+v", got)
	}
	readEarly.asked(t, s, 2)
	if got := <-answer; got.err != nil || got.Text != "A whole reply." || got.End == nil || got.End.Status != parley.StatusDone {
		t.Errorf("whose responder was killed gets %+v", got)
	}
	testSwept(t, s, v, swept, sweptEarly)
}

// testSwept: the sweep ends the run of which some text is durable, and has the
// other one generated anew. It may run twice at once.
func testSwept(t *testing.T, s *stack, v *visitor, late, early *lost) {
	for _, l := range []*lost{late, early} {
		if run := v.transcript(l.session).Session.Run; run == nil {
			t.Errorf("the run of %q ended before the sweep", l.question)
		}
	}
	await(t, 2*time.Minute, time.Second, "sweep of both runs", func() bool {
		s.sweepTwice(t)
		return v.transcript(late.session).Session.Run == nil && v.transcript(early.session).Session.Run == nil
	})
	s.sweepTwice(t)
	v.says(late.session, "user Swept?", "ai Half incomplete")
	v.says(early.session, "user Swept early?", "ai A whole reply. done")
	late.asked(t, s, 1)
	early.asked(t, s, 2)
	text, end := v.send(object{"messageId": "again", "sessionId": late.session, "retry": late.run}).rest()
	if text != "A whole reply." || end.Status != parley.StatusDone {
		t.Errorf("tried again the reply is %q, %s", text, end.Status)
	}
}

// sweepTwice invokes the sweep as the schedule does, twice at once.
func (s *stack) sweepTwice(t *testing.T) {
	t.Helper()
	f := s.functions["sweep"]
	event, err := os.ReadFile(filepath.Join("testdata", "schedule.json"))
	if err != nil {
		t.Fatal(err)
	}
	var sweeps sync.WaitGroup
	for range 2 {
		sweeps.Go(func() {
			if out, err := f.Invoke(t.Context(), event); err != nil {
				t.Errorf("sweep = %s, %v", out, err)
			}
		})
	}
	sweeps.Wait()
	// A sweep that finds nothing writes nothing, and another says how many things failed.
	// What a process writes may arrive later than what it answers; the next call sees it.
	log := f.Log()[s.sweepSaid:]
	s.sweepSaid += len(log)
	if strings.Contains(log, `"level"`) || strings.Count(log, `"SweepFailed":`) != strings.Count(log, `"SweepFailed":0,`) {
		t.Errorf("the sweep says %s", log)
	}
}

// lost is a run that was being generated when its process was killed.
type lost struct {
	question, session, run string
	stream                 *stream
	last                   string // the newest event id
}

// begin asks a question to which the model says "Half" and stops, or nothing if
// it has no text. Asked again, it says a whole reply.
func (v *visitor) begin(s *stack, question string, text bool) *lost {
	v.t.Helper()
	stuck := []apitest.Step{{Until: make(chan struct{})}}
	if text {
		stuck = append([]apitest.Step{{Text: "Half"}}, stuck...)
	}
	s.model.Script(question, stuck, []apitest.Step{{Text: "A whole reply."}})
	l := &lost{question: question, run: strings.NewReplacer(" ", "-", "?", "").Replace(question)}
	l.stream = v.send(object{"messageId": l.run, "content": question})
	l.session = l.stream.next("accepted").Session.ID
	if text {
		l.stream.next("text")
	}
	await(v.t, patience, 10*time.Millisecond, "question", func() bool { return s.model.Asked(question) == 1 })
	l.last = l.stream.r.LastID()
	return l
}

// beginWhole sends a message that is answered whole, and kills who generates
// the reply. The answer is on its way.
func (v *visitor) beginWhole(s *stack) <-chan whole {
	v.t.Helper()
	const question = "Whole?"
	s.model.Script(question, []apitest.Step{{Until: make(chan struct{})}}, []apitest.Step{{Text: "A whole reply."}})
	answer := v.sendWhole(object{"messageId": "whole", "content": question})
	await(v.t, patience, 10*time.Millisecond, "question", func() bool { return s.model.Asked(question) == 1 })
	if s.functions["respond"].Kill() == 0 {
		v.t.Fatal("no process of respond was serving")
	}
	return answer
}

// asked checks how often the model was asked.
func (l *lost) asked(t *testing.T, s *stack, want int) {
	t.Helper()
	if n := s.model.Asked(l.question); n != want {
		t.Errorf("the model was asked %q %d times, want %d", l.question, n, want)
	}
}

package parley_test

import (
	"context"
	"encoding/json"
	"testing"

	"parley/shared/parley"
)

// TestPlaceOfARun: a run is answered, waits or is over, and another one is not in the
// session at all.
func TestPlaceOfARun(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		first := s.send(say("m1", ""))
		second := s.send(say("m2", first.Session.ID))
		third := s.send(say("m3", first.Session.ID))
		is := func(what string, ref parley.RunRef, want parley.Place) {
			s.Helper()
			if _, got, err := s.store.RunPlace(ctx, ref); err != nil || got != want {
				s.Errorf("place of %s = %d, %v, want %d", what, got, err, want)
			}
		}
		is("the first", first.Ref, parley.PlaceActive)
		is("the second", second.Ref, parley.PlaceQueued)
		is("the third", third.Ref, parley.PlaceQueued)
		is("another", parley.RunRef{Project: first.Ref.Project, Session: first.Ref.Session, Run: "other"}, parley.PlaceOver)
		_, err := s.store.ReadRun(ctx, first.Ref, first.Message.Seq)
		s.want("reading the first", err, "")
		_, err = s.store.ReadRun(ctx, second.Ref, second.Message.Seq)
		s.want("reading the second", err, "run_over")
		_, err = s.store.Outcome(ctx, first.Ref, first.Message.Seq)
		s.want("outcome of the first before its end", err, "not_found")
		s.reply(first.Claim, "one")
		is("the first, answered", first.Ref, parley.PlaceOver)
		is("the second, after it", second.Ref, parley.PlaceActive)
		got, err := s.store.Outcome(ctx, first.Ref, first.Message.Seq)
		if err != nil || got.Text != "one" || got.Run != "m1" {
			s.Errorf("outcome of the first = %+v, %v", got, err)
		}
		_, err = s.store.ReadRun(ctx, first.Ref, first.Message.Seq)
		s.want("reading what is over", err, "run_over")
		gone := first.Ref
		gone.Session = "nobodys"
		_, _, err = s.store.RunPlace(ctx, gone)
		s.want("place in no session", err, "not_found")
		_, err = s.store.ReadRun(ctx, gone, 1)
		s.want("reading in no session", err, "not_found")
	})
}

// TestLogOfNoRun: who asks for all of a log that is not there is told so, and who asks
// for more of one gets no more.
func TestLogOfNoRun(t *testing.T) {
	onBoth(t, func(s scene) {
		ref := s.send(say("m1", "")).Ref
		if got, err := s.store.ReadLog(context.Background(), ref, 1, true); err != nil || len(got) != 0 {
			s.Errorf("after the only entry there are %v, %v", got, err)
		}
		ref.Run = "other"
		_, err := s.store.ReadLog(context.Background(), ref, 0, true)
		s.want("the log of no run", err, "not_found")
	})
}

// TestWatchEnd: whoever watches a run is told of its end at once, unless it has stopped.
func TestWatchEnd(t *testing.T) {
	onBolt(t, func(s scene) {
		claim := s.send(say("m1", "")).Claim
		watched, stop := s.store.WatchEnd(claim.Ref)
		left, leave := s.store.WatchEnd(claim.Ref)
		other := claim.Ref
		other.Run = "other"
		elsewhere, _ := s.store.WatchEnd(other)
		leave()
		defer stop()
		told := func(ended <-chan struct{}) bool {
			select {
			case <-ended:
				return true
			default:
				return false
			}
		}
		if told(watched) {
			s.Error("told before the end")
		}
		s.reply(claim, "hi")
		if !told(watched) || told(left) || told(elsewhere) {
			s.Errorf("told are the watcher: %v, who left: %v, another run's: %v", told(watched), told(left), told(elsewhere))
		}
	})
}

// TestExtrasOfARetry: a retry is answered with what came along with it, on top of what
// came along with its message; and without a run nothing is kept.
func TestExtrasOfARetry(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		r := say("m1", "")
		r.Extras = parley.Extras{Prompt: "be brief", Context: json.RawMessage(`{"a":1}`)}
		sent := s.send(r)
		s.fail(sent.Claim)
		again := s.send(parley.SendRequest{ID: "m2", Session: sent.Session.ID, Retry: "m1", Claim: true, Extras: parley.Extras{Prompt: "be long"}})
		got, err := s.store.Extras(ctx, again.Ref, "m1")
		if err != nil || got.Prompt != "be long" || string(got.Context) != `{"a":1}` {
			s.Errorf("of the retry there are %+v, %v", got, err)
		}
		if got, err = s.store.Extras(ctx, sent.Ref, "m1"); err != nil || got.Prompt != "be brief" {
			s.Errorf("of the message there are %+v, %v", got, err)
		}
		none := s.send(say("m3", ""))
		if got, err = s.store.Extras(ctx, none.Ref, "m3"); err != nil || !got.Empty() {
			s.Errorf("of a message with none there are %+v, %v", got, err)
		}
	})
}

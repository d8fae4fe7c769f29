package sweep_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"parley/functions/internal/emf"
	"parley/functions/internal/functiontest"
	"parley/functions/sweep"
	"parley/shared/parley"
	"parley/shared/parleytest"
)

// TestSweep: a sweep does what is due and says how much that was.
func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := functiontest.New(t, parley.Config{})
		caller, _ := k.Visitor(t)
		closed := parleytest.Turn(t, k.Store, caller, "m1", "")
		if err := k.Store.Close(t.Context(), caller, closed.ID); err != nil {
			t.Fatal(err)
		}
		pending := parleytest.Send(t, k.Store, caller, parley.SendRequest{ID: "m2", Channel: parley.ChannelNative, Content: "Hello"})
		var revived []parley.RunRef
		var metrics bytes.Buffer
		h := sweep.New(sweep.Config{Store: k.Store, Metrics: emf.Log{Writer: &metrics},
			Revive: func(_ context.Context, ref parley.RunRef) error { revived = append(revived, ref); return nil }})
		time.Sleep(2 * time.Minute) // virtual
		if err := h(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(revived) != 1 || revived[0] != pending.Ref {
			t.Errorf("revived %v, want %v", revived, pending.Ref)
		}
		session, err := k.Store.Session(t.Context(), caller, closed.ID)
		if err != nil || session.Closes != 1 {
			t.Errorf("session = %+v, %v; want its close settled", session, err)
		}
		var got struct{ SweepLooked, SweepRevived, SweepJobs, SweepFailed float64 }
		if err := json.Unmarshal(metrics.Bytes(), &got); err != nil || got.SweepRevived != 1 || got.SweepLooked < 2 || got.SweepFailed != 0 {
			t.Errorf("metrics = %s, %v", &metrics, err)
		}
	})
}

// TestIdle: a sweep that finds nothing writes no metrics, which would be billed all month.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := functiontest.New(t, parley.Config{})
		var metrics bytes.Buffer
		h := sweep.New(sweep.Config{Store: k.Store, Metrics: emf.Log{Writer: &metrics},
			Revive: func(context.Context, parley.RunRef) error { return nil }})
		for range 3 {
			time.Sleep(time.Minute)
			if err := h(t.Context()); err != nil || metrics.Len() > 0 {
				t.Errorf("sweep = %v, with the metrics %s", err, &metrics)
			}
		}
	})
}

// full is a place for metrics that takes none.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("full") }

// TestMetricsLost: a metric that is lost is no failed sweep.
func TestMetricsLost(t *testing.T) {
	k := functiontest.New(t, parley.Config{})
	h := sweep.New(sweep.Config{Store: k.Store, Metrics: emf.Log{Writer: full{}}, Log: slog.New(slog.DiscardHandler),
		Revive: func(context.Context, parley.RunRef) error { return nil }})
	if err := h(t.Context()); err != nil {
		t.Errorf("sweep = %v", err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := k.Table.Close(); err != nil {
		t.Fatal(err)
	}
	if err := h(over); err == nil {
		t.Error("a sweep without a table succeeded")
	}
}

func TestNew(t *testing.T) {
	functiontest.Lacking(t, func() { sweep.New(sweep.Config{}) })
}

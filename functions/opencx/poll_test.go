package opencx_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"parley/functions/internal/functiontest"
	"parley/functions/opencx"
	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/table/meter"
)

// polling is the function over a table that counts, with a visitor's token.
type polling struct {
	store  *parley.Store
	table  *meter.Table
	caller parley.Caller
	handle http.Handler
	header http.Header
	// asked is how often the responder was.
	asked int
}

func newPolling(t *testing.T) *polling {
	t.Helper()
	k := functiontest.New(t, parley.Config{})
	p := &polling{table: meter.New(meter.Config{Table: k.Table})}
	p.store = parleytest.Store(t, parley.Config{Table: p.table, Derive: k.Keys.Derive})
	calls, err := api.New(api.Config{Store: p.store, Keys: k.Keys, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	runs, err := run.NewDispatcher(run.Config{Store: p.store, Respond: func(context.Context, parley.RunRef) error {
		p.asked++
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	p.handle = opencx.New(opencx.Config{API: calls, Runs: runs})
	who, err := p.store.Acquaint(t.Context(), parley.AcquaintRequest{Project: parleytest.Project})
	if err != nil {
		t.Fatal(err)
	}
	token, err := k.Keys.Contact(&parley.Project{ID: parleytest.Project}, who.Visitor, false)
	if err != nil {
		t.Fatal(err)
	}
	if p.caller, err = k.Keys.ReadContact(&parley.Project{ID: parleytest.Project}, token); err != nil {
		t.Fatal(err)
	}
	p.header = http.Header{"X-Bot-Token": {k.Key}, "Authorization": {"Bearer " + token}}
	return p
}

// poll returns the history as "kind text", and the read units that it took.
func (p *polling) poll(t *testing.T, id parley.SessionID) (lines []string, units float64) {
	t.Helper()
	p.table.Reset()
	r := httptest.NewRequest(http.MethodGet, "/backend/widget/v2/poll/"+string(id), nil)
	r.Header = p.header
	w := httptest.NewRecorder()
	p.handle.ServeHTTP(w, r)
	units = p.table.Counts().ReadUnits()
	var got struct {
		History []struct {
			Content struct{ Text string }
			Sender  struct{ Kind string }
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	for _, row := range got.History {
		lines = append(lines, row.Sender.Kind+" "+row.Content.Text)
	}
	return lines, units
}

// TestPollRevives: a poll ends a run whose runner died after some text, or has it
// generated again where none had come, as soon as the lease is over. A run that
// lives it leaves alone.
func TestPollRevives(t *testing.T) {
	whole := []string{"user Hello"}
	for _, test := range []struct {
		name    string
		claimed bool
		chunks  []string
		// beats is how often the runner said that it lives, every 2 s, and silent how
		// long it has been since.
		beats  int
		silent time.Duration
		asks   int
		want   []string
	}{
		{"a reply just begun", true, []string{"Half"}, 0, parley.Lease - 1, 0, whole},
		{"a runner that lives for long", true, []string{"Half"}, 10, parley.Lease - 1, 0, whole},
		{"dead after some text", true, []string{"Half"}, 0, parley.Lease, 0,
			[]string{"user Hello", "ai Half\n\n[This answer broke off. Please ask again.]"}},
		{"dead before any text", true, nil, 2, parley.Lease, 1, whole},
		{"claimed by nobody", false, nil, 0, parley.Lease, 1, whole},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPolling(t)
				message := parleytest.Say("m1", "", "Hello")
				message.Channel, message.Claim = parley.ChannelOpenCX, test.claimed
				sent := parleytest.Send(t, p.store, p.caller, message)
				if test.claimed {
					parleytest.Append(t, p.store, sent.Claim, test.chunks...)
				}
				for range test.beats {
					time.Sleep(2 * time.Second)
					beat := parley.LogEntry{N: sent.Claim.Next, By: sent.Claim.Epoch, Kind: parley.LogBeat, At: time.Now().UnixMilli()}
					if err := p.store.Append(t.Context(), sent.Ref, beat); err != nil {
						t.Fatal(err)
					}
					sent.Claim.Next++
				}
				time.Sleep(test.silent)
				if got, _ := p.poll(t, sent.Session.ID); !slices.Equal(got, test.want) || p.asked != test.asks {
					t.Errorf("history = %q and the responder was asked %d times, want %q and %d", got, p.asked, test.want, test.asks)
				}
			})
		})
	}
}

// TestPollForDeadRunCosts: looking for a run that died costs nothing where there is none, or
// one that began just now, and a read unit where one goes on for long.
func TestPollForDeadRunCosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolling(t)
		const plain = 1.5 // of an instance that has rendered it before
		message := parleytest.Say("m1", "", "Hello")
		message.Channel = parley.ChannelOpenCX
		sent := parleytest.Send(t, p.store, p.caller, message)
		want := func(what string, units float64) {
			t.Helper()
			if _, got := p.poll(t, sent.Session.ID); got != units {
				t.Errorf("a poll with %s reads %g units, want %g", what, got, units)
			}
		}
		p.poll(t, sent.Session.ID) // which also reads the project
		want("a run that began just now", plain)
		time.Sleep(parley.Lease)
		parleytest.Append(t, p.store, sent.Claim, "One.")
		want("a run that goes on for long", plain+1)
		parleytest.Reply(t, p.store, sent.Claim, " Two.")
		time.Sleep(parley.Lease)
		p.poll(t, sent.Session.ID) // which brings the reply
		want("no run", plain)
	})
}

package hooks_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley/functions/feed"
	"parley/functions/hooks"
	"parley/functions/internal/emf"
	"parley/functions/internal/functiontest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
)

// world is a project whose endpoints are functions, in virtual time.
type world struct {
	*testing.T
	*functiontest.Kit
	visitor parley.Caller
	handler hooks.Handler
	metrics *buffer
	hosts   map[string]*host
}

// buffer keeps what several instances write at once.
type buffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

// host is an endpoint.
type host struct {
	w      *world
	hook   parley.Hook
	secret string
	began  time.Time
	// answer says what it does with a webhook; nil takes it.
	answer func(r *http.Request, got webhook) (*http.Response, error)

	mu  sync.Mutex
	got []received
}

// webhook is a body as a receiver reads it.
type webhook struct {
	ID      string
	Type    parley.HookEvent
	Project parley.ProjectID
	Session parley.SessionID
	Seq     parley.Seq
	At      time.Time
	Started map[string]any
	Entry   map[string]any
	Close   int
	Data    json.RawMessage
	Reason  string
}

// received is a webhook that a host was asked to take.
type received struct {
	webhook
	Raw   []byte
	After time.Duration // since the host was made
	Taken bool
}

// in runs test in a bubble of virtual time.
func in(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, Kit: functiontest.New(t, parley.Config{ProjectLife: -1}), metrics: new(buffer), hosts: map[string]*host{}}
		p := parleytest.Settings()
		p.Budgets = parley.Budgets{MessagesPerMinute: 1e6, VisitorTokens: 1e9, AddressTokens: 1e9, ProjectTokens: 1e12}
		parleytest.Put(t, w.Store, p)
		w.visitor, _ = w.Visitor(t)
		w.handler = w.over(w.Store)
		parleytest.Sweep(t, w.Store)
		test(w)
	})
}

// over returns the function over a store: another instance.
func (w *world) over(s *parley.Store) hooks.Handler {
	w.Helper()
	h := hooks.New(hooks.Config{Store: s, Do: w.do, Files: "https://files.example", Metrics: emf.Log{Writer: w.metrics}, Log: slog.New(slog.DiscardHandler)})
	return h
}

// process returns a store of the world over another view of its table.
func (w *world) process(t table.Table) *parley.Store {
	w.Helper()
	return parleytest.Store(w, parley.Config{Table: t, Derive: w.Keys.Derive, ProjectLife: -1})
}

// host makes an endpoint that wants these events; none means all but internal ones.
func (w *world) host(name string, events ...parley.HookEvent) *host {
	w.Helper()
	if len(events) == 0 {
		events = slices.DeleteFunc(parley.HookEvents(), func(e parley.HookEvent) bool { return e == parley.HookInternal })
	}
	hook, secret, err := w.Store.PutHook(w.Context(), parleytest.Operator(), parley.Hook{URL: "https://" + name + "/hook?key=1", Events: events})
	if err != nil {
		w.Fatal(err)
	}
	h := &host{w: w, hook: hook, secret: secret.Secret, began: time.Now()}
	w.hosts[name] = h
	return h
}

func (w *world) do(r *http.Request) (*http.Response, error) {
	return w.hosts[r.URL.Host].take(r)
}

func (h *host) take(r *http.Request) (*http.Response, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	got := received{Raw: raw, After: time.Since(h.began)}
	if err := json.Unmarshal(raw, &got.webhook); err != nil {
		h.w.Errorf("body %s: %v", raw, err)
	}
	if r.Method != http.MethodPost || r.URL.String() != h.hook.URL || r.Header.Get("Content-Type") != "application/json" ||
		r.Header.Get("Idempotency-Key") != got.ID || got.ID != hooks.DeliveryID(got.Project, h.hook.ID, got.Session, got.Seq) {
		h.w.Errorf("%s %s with %v", r.Method, r.URL, r.Header)
	}
	if !verifies(r.Header.Get(hooks.SignatureHeader), raw, h.secret, time.Now()) {
		h.w.Errorf("the signature %q does not fit", r.Header.Get(hooks.SignatureHeader))
	}
	res, err := answered(http.StatusOK), error(nil)
	if h.answer != nil {
		res, err = h.answer(r, got.webhook)
	}
	got.Taken = err == nil && res.StatusCode/100 == 2
	h.mu.Lock()
	defer h.mu.Unlock()
	h.got = append(h.got, got)
	return res, err
}

// verifies checks a signature as a receiver does, independently of Sign.
func verifies(header string, body []byte, secret string, now time.Time) bool {
	var at string
	fits := false
	for _, field := range strings.Split(header, ",") {
		name, value, _ := strings.Cut(field, "=")
		switch name {
		case "t":
			at = value
		case "v1":
			mac := hmac.New(sha256.New, []byte(secret))
			mac.Write([]byte(at + "." + string(body)))
			fits = fits || value == hex.EncodeToString(mac.Sum(nil))
		}
	}
	seconds, err := strconv.ParseInt(at, 10, 64)
	return fits && err == nil && now.Sub(time.Unix(seconds, 0)).Abs() < time.Minute
}

func answered(status int) *http.Response {
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("{}"))}
}

// fails has a host answer with a status.
func fails(status int) func(*http.Request, webhook) (*http.Response, error) {
	return func(*http.Request, webhook) (*http.Response, error) { return answered(status), nil }
}

// ring calls the function as the feed does.
func (w *world) ring(id parley.SessionID) {
	w.Helper()
	if err := w.handler(w.Context(), hooks.Event{Project: "demo", Session: id}); err != nil {
		w.Errorf("hooks = %v", err)
	}
}

// sweep sweeps, and calls the function for those whom that wakes.
func (w *world) sweep() (woken int) {
	w.Helper()
	_, err := w.Store.Sweep(w.Context(), parley.SweepHelp{
		Revive: func(_ context.Context, ref parley.RunRef) error { w.Errorf("revive %v", ref); return nil },
		Wake:   func(ctx context.Context, f parley.Following) error { woken++; return w.handler(ctx, hooks.EventOf(f)) }})
	if err != nil {
		w.Errorf("sweep: %v", err)
	}
	return woken
}

// sweeps sweeps every minute for a while.
func (w *world) sweeps(d time.Duration) {
	for ; d > 0; d -= time.Minute {
		time.Sleep(time.Minute)
		w.sweep()
	}
}

// turn has one message answered: entries n and n+1 of the session.
func (w *world) turn(id parley.SessionID) parley.SessionID {
	w.Helper()
	entry := parley.EntryID(fmt.Sprint("m", time.Now().UnixNano(), len(id)))
	time.Sleep(time.Millisecond)
	return parleytest.Turn(w, w.Store, w.visitor, entry, id).ID
}

// taken returns what a host took: number and type.
func (h *host) taken() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for _, r := range h.got {
		if r.Taken {
			out = append(out, fmt.Sprint(r.Seq, " ", r.Type))
		}
	}
	return out
}

// wants fails the test unless the host took exactly this, in this order.
func (h *host) wants(what string, want ...string) {
	h.w.Helper()
	if got := h.taken(); !slices.Equal(got, want) {
		h.w.Errorf("%s: took %q, want %q", what, got, want)
	}
}

// failed returns the webhooks of a host that were given up.
func (h *host) failed() []parley.FailedHook {
	h.w.Helper()
	failed, _, err := h.w.Store.FailedHooks(h.w.Context(), parleytest.Operator(), h.hook.ID, parley.PageRequest{Limit: 100})
	if err != nil {
		h.w.Fatal(err)
	}
	return failed
}

// change is what the feed makes of a record.
func change(p parley.ProjectID, s parley.SessionID, kind string) feed.Change {
	return feed.Change{Project: p, Session: s, Kind: feed.Kind(kind)}
}

package bundletest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/shared/lambdatest"
	"parley/shared/parley"
)

// endpoint is a server of a customer that gets webhooks.
type endpoint struct {
	mu     sync.Mutex
	secret string
	status int
	got    []string // number and type
	wrong  []string // signatures that do not fit
}

// ServeHTTP takes a webhook, or not, as status says.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the function was killed
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var hook struct {
		Seq  int
		Type string
	}
	header := r.Header.Get("Parley-Signature")
	at, signature, _ := strings.Cut(strings.TrimPrefix(header, "t="), ",v1=")
	mac := hmac.New(sha256.New, []byte(e.secret))
	io.WriteString(mac, at+"."+string(body))
	if err := json.Unmarshal(body, &hook); err != nil || signature != hex.EncodeToString(mac.Sum(nil)) {
		e.wrong = append(e.wrong, header)
	}
	e.got = append(e.got, fmt.Sprint(hook.Seq, " ", hook.Type))
	w.WriteHeader(e.status)
}

// takes waits until the endpoint was asked for these, in this order, and for
// nothing else since it was looked at last.
func (e *endpoint) takes(t *testing.T, want ...string) {
	t.Helper()
	await(t, patience, 10*time.Millisecond, fmt.Sprintf("webhooks %q", want), func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return len(e.got) >= len(want)
	})
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.Equal(e.got, want) || len(e.wrong) > 0 {
		t.Errorf("took %q, want %q; wrong signatures: %q", e.got, want, e.wrong)
	}
	e.got = nil
}

func (e *endpoint) answers(status int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status = status
}

// testHooks: what happens in a session goes from the table's stream through the
// feed to the endpoint, and after a failure through the sweep.
func testHooks(t *testing.T, s *stack) {
	v, op := s.visitor(t), parley.Caller{Operator: "op"}
	op.Project = v.project
	e := &endpoint{status: http.StatusOK}
	server, address := listen(t)
	run(server, e)
	hook, secret, err := s.store.PutHook(t.Context(), op, parley.Hook{URL: address + "/hook", Events: []parley.HookEvent{parley.HookStarted, parley.HookMessage}})
	if err != nil {
		t.Fatal(err)
	}
	e.secret = secret.Secret

	_, end := v.send(object{"messageId": "h1", "content": "Hello"}).rest()
	id := parley.SessionID(end.Session.ID)
	s.streams(t, v.project)
	e.takes(t, "0 session.started", "1 message", "2 message")
	s.streams(t, v.project) // records come again
	e.answers(http.StatusGone)
	v.send(object{"messageId": "h2", "content": "And?", "sessionId": id}).rest()
	s.streams(t, v.project)
	e.takes(t, "3 message", "4 message")
	await(t, patience, 10*time.Millisecond, "both given up", func() bool {
		failed, _, err := s.store.FailedHooks(t.Context(), op, hook.ID, parley.PageRequest{})
		return err == nil && len(failed) == 2
	})

	e.answers(http.StatusNoContent)
	await(t, patience, 10*time.Millisecond, "replay", func() bool { // the lease is given back a moment later
		return s.store.ReplayHook(t.Context(), op, hook.ID, id, 3) == nil
	})
	s.sweepTwice(t)
	e.takes(t, "3 message", "4 message")
	testHooksStrict(t, s, op, hook.ID, id)
}

// testHooksStrict: as the template deploys it the function asks nobody on this
// machine.
func testHooksStrict(t *testing.T, s *stack, op parley.Caller, hook parley.HookID, id parley.SessionID) {
	t.Helper()
	strict := s.start(t, "hooks", func(map[string]string) {})
	await(t, patience, 10*time.Millisecond, "replay", func() bool {
		return s.store.ReplayHook(t.Context(), op, hook, id, 4) == nil
	})
	event, err := json.Marshal(object{"project": op.Project, "session": id})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := strict.Invoke(t.Context(), event); err != nil {
		t.Fatalf("hooks = %s, %v", out, err)
	}
	failed, _, err := s.store.FailedHooks(t.Context(), op, hook, parley.PageRequest{})
	if err != nil || len(failed) != 1 || failed[0].Seq != 4 || !strings.Contains(failed[0].Reason, "refused") {
		t.Errorf("given up: %+v, %v", failed, err)
	}
	var broken *lambdatest.Error
	if out, err := strict.Invoke(t.Context(), []byte(`{}`)); !errors.As(err, &broken) {
		t.Errorf("an event that names nothing: %s, %v", out, err)
	}
}

// streams hands the feed what the table's stream has of a project.
func (s *stack) streams(t *testing.T, p parley.ProjectID) {
	t.Helper()
	records := slices.DeleteFunc(s.filtered(t, s.streamRecords(t)), func(r object) bool {
		keys, err := json.Marshal(r["dynamodb"].(object)["Keys"])
		return err != nil || !strings.Contains(string(keys), `"`+string(p)+"/session/")
	})
	event, err := json.Marshal(object{"Records": records})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := s.functions["feed"].Invoke(t.Context(), event); err != nil || string(out) != `{"batchItemFailures":[]}` {
		t.Fatalf("feed = %s, %v", out, err)
	}
}

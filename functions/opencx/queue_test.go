package opencx_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/functions/internal/functiontest"
	"parley/functions/opencx"
	"parley/shared/agent/agenttest"
	"parley/shared/parley"
	"parley/shared/parleytest"
)

// TestQueuedMessage: a message that waits for others to be answered is soon told that
// it is stored, and answered in its turn; the page polls for that.
func TestQueuedMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := functiontest.New(t, parley.Config{})
		script := agenttest.New(agenttest.Always(agenttest.Step{Delay: 18 * time.Second, Delta: "At last."}))
		h := opencx.New(opencx.Config{API: k.API, Runs: k.Engine(t, script, nil).Dispatcher})
		who, err := k.Store.Acquaint(t.Context(), parley.AcquaintRequest{Project: "demo", Identity: parley.Identity{Email: "ann@example.com"}})
		if err != nil {
			t.Fatal(err)
		}
		token, err := k.Keys.Contact(&parley.Project{ID: "demo"}, who.Visitor, false)
		if err != nil {
			t.Fatal(err)
		}
		call := func(path, body string) (string, time.Duration) {
			r := httptest.NewRequest(http.MethodPost, "/backend/widget/v2/"+path, strings.NewReader(body))
			r.Header.Set("X-Bot-Token", k.Key)
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set("Content-Type", "application/json")
			w, began := httptest.NewRecorder(), time.Now()
			h.ServeHTTP(w, r)
			return w.Body.String(), time.Since(began)
		}
		made, _ := call("create-session", `{"customData":{"external_id":"tab"}}`)
		_, after, _ := strings.Cut(made, `"id":"`)
		session, _, _ := strings.Cut(after, `"`)
		send := func(uuid string) (string, time.Duration) {
			return call("chat/send", fmt.Sprintf(`{"uuid":%q,"bot_token":%q,"session_id":%q,"content":"Hello?"}`, uuid, k.Key, session))
		}
		first := make(chan string, 1)
		go func() {
			got, _ := send("m1")
			first <- got
		}()
		time.Sleep(time.Second)
		got, took := send("m2")
		if !strings.Contains(got, `"success":true`) || strings.Contains(got, "autopilotResponse") || took < 5*time.Second || took > 6*time.Second {
			t.Errorf("a queued message is answered %s after %v, want that it is stored, after 5 s", got, took)
		}
		if got := <-first; !strings.Contains(got, "At last.") {
			t.Errorf("the message before it is answered %s", got)
		}
		time.Sleep(time.Minute)
		replies := 0
		for _, e := range parleytest.Entries(t, k.Store, parleytest.Operator(), parley.SessionID(session)) {
			if e.Author.Kind == parley.AuthorAI {
				replies++
			}
		}
		if replies != 2 {
			t.Errorf("%d replies to 2 messages", replies)
		}
	})
}

package operator_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"parley/functions/internal/functiontest"
	"parley/functions/operator"
	"parley/shared/parley"
	"parley/shared/parleytest"
)

// TestSessionOfHub: people see of a session of ChatHub's which channel it is held in, its
// language and metadata, and by what id the customer's own system knows the visitor.
func TestSessionOfHub(t *testing.T) {
	k := functiontest.New(t, parley.Config{})
	who, err := k.Store.Acquaint(t.Context(), parley.AcquaintRequest{Project: parleytest.Project, Channel: parley.ChannelChatHub, Proven: true,
		Identity: parley.Identity{External: "user_1"}})
	if err != nil {
		t.Fatal(err)
	}
	caller := parley.Caller{Project: parleytest.Project, Visitor: who.Visitor.ID, Contact: who.Contact.ID, Generation: who.Visitor.Generation}
	parleytest.Send(t, k.Store, caller, parley.SendRequest{ID: "m1", Session: "hub", Begins: true, Channel: parley.ChannelChatHub, Content: "Hola",
		Language: "es-MX", Metadata: map[string]string{"plan": "gold"}})
	_, secret, err := k.Store.AddPrivateKey(t.Context(), parleytest.Project, parley.PrivateKey{Name: "team", Scopes: []parley.Scope{parley.ScopeRead}})
	if err != nil {
		t.Fatal(err)
	}
	h := operator.New(operator.Config{API: k.API, Runs: k.Engine(t, nil, nil).Dispatcher})
	r := httptest.NewRequest(http.MethodGet, "/operator/sessions/hub", nil)
	r.Header.Set("Authorization", "Bearer "+secret)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var got struct {
		Session struct {
			Channel, Holder string
			Language        string
		}
		Contact struct{ ExternalID string }
		About   struct{ Metadata map[string]string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if got.Session.Channel != "chathub" || got.Session.Language != "es-MX" || got.Contact.ExternalID != "user_1" || got.About.Metadata["plan"] != "gold" {
		t.Errorf("the session is shown as %s", w.Body)
	}
}

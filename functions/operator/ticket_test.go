package operator_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"parley/functions/internal/functiontest"
	"parley/functions/operator"
	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/parleytest"
)

// TestSocketBehindDistribution: a console that came through a distribution connects
// there too, where all is at one address, and one that did not where the API is.
func TestSocketBehindDistribution(t *testing.T) {
	k := functiontest.New(t, parley.Config{})
	_, secret, err := k.Store.AddPrivateKey(t.Context(), parleytest.Project, parley.PrivateKey{Name: "team", Scopes: []parley.Scope{parley.ScopeRead}})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		socket  string
		through bool
		want    string
	}{
		{"wss://a.example/live", false, "wss://a.example/live"},
		{"wss://a.example/live", true, "/console/socket"},
		{"", true, ""},
	} {
		calls, err := api.New(api.Config{Store: k.Store, Keys: k.Keys, Through: func(context.Context) bool { return test.through }})
		if err != nil {
			t.Fatal(err)
		}
		h := operator.New(operator.Config{API: calls, Runs: k.Engine(t, nil, nil).Dispatcher, Socket: test.socket})
		r := httptest.NewRequest(http.MethodPost, "/operator/ticket", nil)
		r.Header.Set("Authorization", "Bearer "+secret)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var got struct{ Socket string }
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusCreated || got.Socket != test.want {
			t.Errorf("through: %v: %d %s, want the socket %q", test.through, w.Code, w.Body, test.want)
		}
	}
}

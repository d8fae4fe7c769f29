package api_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/token"
)

// TestTicketOfVoidToken: where tokens were made void and a process has not heard of it
// for the key by which it admits somebody, it gives out no ticket that stands longer
// than their token.
func TestTicketOfVoidToken(t *testing.T) {
	now := time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)
	keys, err := token.New(token.Config{Masters: [][]byte{[]byte(strings.Repeat("m", 32))}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	const life = 30 * time.Second
	table := parleytest.Table(t)
	store := parleytest.Store(t, parley.Config{Table: table, Now: func() time.Time { return now }, ProjectLife: life})
	elsewhere := parleytest.Store(t, parley.Config{Table: table, Now: func() time.Time { return now }})
	p := parley.Project{ID: "two", Name: "Two", PublicKeys: []string{"pk_test_one", "pk_test_two"}, Agents: []parley.AgentSettings{{ID: "ada", Name: "Ada"}}}
	if err := elsewhere.PutProject(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	a, err := api.New(api.Config{Store: store, Keys: keys, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	h := a.Handler(
		api.Route{Pattern: "GET /give", Handle: func(w http.ResponseWriter, r *http.Request) error {
			c, p, err := a.Caller(r)
			if err != nil {
				return err
			}
			text, err := a.Ticket(r, p, c, "s")
			if err != nil {
				return err
			}
			_, err = io.WriteString(w, text)
			return err
		}},
		api.Route{Pattern: "GET /read", Handle: func(w http.ResponseWriter, r *http.Request) error {
			_, _, err := a.Reader(r, "s")
			return err
		}})
	text, _, err := keys.Visitor(&p, parley.Visitor{ID: "v", Generation: 1}, 0)
	if err != nil {
		t.Fatal(err)
	}
	call := func(key, path, bearer string) *httptest.ResponseRecorder {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)
		if bearer != "" {
			r.Header.Set("Parley-Key", key)
			r.Header.Set("Authorization", "Bearer "+bearer)
		}
		h.ServeHTTP(w, r)
		return w
	}
	give := func(key string) string {
		t.Helper()
		w := call(key, "/give", text)
		if w.Code != http.StatusOK {
			t.Fatalf("a ticket: %d %s", w.Code, w.Body)
		}
		return w.Body.String()
	}
	give("pk_test_one") // the project is kept by its id and by this key
	now = now.Add(life / 2)
	if w := call("", "/read?ticket="+give("pk_test_two"), ""); w.Code != http.StatusOK { // and by this one, for longer
		t.Fatalf("reading by a ticket: %d %s", w.Code, w.Body)
	}
	if _, err := elsewhere.VoidTokens(t.Context(), p.ID); err != nil {
		t.Fatal(err)
	}
	now = now.Add(life/2 + time.Second)
	ticket := give("pk_test_two")
	now = now.Add(life)
	if w := call("pk_test_two", "/give", text); w.Code != http.StatusUnauthorized {
		t.Errorf("the token after that: %d %s", w.Code, w.Body)
	}
	if w := call("", "/read?ticket="+ticket, ""); w.Code != http.StatusUnauthorized {
		t.Errorf("its ticket: %d %s", w.Code, w.Body)
	}
}

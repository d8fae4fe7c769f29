package bundle

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/token"
)

// unread is a body that nobody may read.
type unread struct{ read bool }

func (u *unread) Read([]byte) (int, error) {
	u.read = true
	return 0, errors.New("nobody may read this")
}

// takesBody are the calls of every protocol whose key is in a header. Of Hissuno's
// the key is in the body, and so it is of beacons.
func takesBody(t *testing.T) (calls [][2]string) {
	t.Helper()
	var document struct {
		Paths map[string]map[string]yaml.Node
	}
	if err := yaml.Unmarshal([]byte(api.OpenAPI), &document); err != nil {
		t.Fatal(err)
	}
	for path, methods := range document.Paths {
		for method := range methods {
			switch method {
			case "post", "put", "patch", "delete":
				if path != "/close" {
					calls = append(calls, [2]string{strings.ToUpper(method), path})
				}
			}
		}
	}
	for _, path := range []string{"contact/create-unverified", "create-session", "chat/send", "chat/vote", "checkpoint", "action/execute",
		"session/resolve", "submit-csat", "upload", "upload/v2"} {
		calls = append(calls, [2]string{http.MethodPost, "/backend/widget/v2/" + path})
	}
	return append(calls, [2]string{http.MethodPost, "/widget/authenticate-user"})
}

// TestBodyWithoutKey: whoever has no key, or calls from a site that the project does
// not list, is refused before the body is read.
func TestBodyWithoutKey(t *testing.T) {
	b, err := Open(t.Context(), Config{Folder: filepath.Join(t.TempDir(), "data"), Port: 0, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.close() })
	keys, err := token.New(token.Config{Masters: [][]byte{b.folder.secret}})
	if err != nil {
		t.Fatal(err)
	}
	store := parleytest.Store(t, parley.Config{Table: b.folder.table, Derive: keys.Derive})
	strict := parleytest.Settings()
	strict.ID, strict.PublicKeys, strict.Origins = "strict", []string{"pk_live_strict"}, []string{"https://shop.example"}
	parleytest.Put(t, store, strict)

	calls := takesBody(t)
	if len(calls) < 30 {
		t.Fatalf("%d calls take a body: %v", len(calls), calls)
	}
	for _, call := range calls {
		for name, test := range map[string]struct {
			key, origin string
			status      int
		}{
			"no key":          {"", "https://shop.example", http.StatusUnauthorized},
			"unknown key":     {"pk_live_unknown", "https://shop.example", http.StatusUnauthorized},
			"another website": {"pk_live_strict", "https://other.example", http.StatusForbidden},
		} {
			if private := strings.HasPrefix(call[1], "/operator") || call[1] == "/widget/authenticate-user"; private && test.status == http.StatusForbidden {
				continue // its key is a private one, which no website has
			}
			body := &unread{}
			r := httptest.NewRequest(call[0], strings.NewReplacer("{", "", "}", "").Replace(call[1]), body)
			r.ContentLength = 4 << 20
			for header, value := range map[string]string{api.KeyHeader: test.key, "X-Bot-Token": test.key, "Origin": test.origin, "Content-Type": "application/json"} {
				if value != "" {
					r.Header.Set(header, value)
				}
			}
			w := httptest.NewRecorder()
			b.handler.ServeHTTP(w, r)
			if w.Code != test.status || body.read {
				t.Errorf("%s %s with %s = %d %s, read: %v; want %d unread", call[0], call[1], name, w.Code, w.Body, body.read, test.status)
			}
		}
	}
}

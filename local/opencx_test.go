package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestOpenCX: a page with OpenCX's widget has its message answered here too,
// though no request of its own generates the reply, and may end its base in a slash.
func TestOpenCX(t *testing.T) {
	p := start(t, t.TempDir())
	token := ""
	call := func(path string, in any, out any) {
		t.Helper()
		body, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.page+"//backend/widget/v2"+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Bot-Token", p.key)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if err := json.NewDecoder(response.Body).Decode(out); err != nil || response.StatusCode > 299 {
			t.Fatalf("%s = %s, %v", path, response.Status, err)
		}
	}
	var contact struct{ Token string }
	call("/contact/create-unverified", map[string]any{}, &contact)
	token = contact.Token
	var session struct{ ID string }
	call("/create-session", map[string]any{"customData": map[string]string{"external_id": "x"}}, &session)
	var sent struct {
		Success bool
		Reply   struct{ Value struct{ Content string } } `json:"autopilotResponse"`
	}
	call("/chat/send", map[string]string{"uuid": "u", "session_id": session.ID, "content": "Do I need docker to try it?"}, &sent)
	if !sent.Success || !strings.Contains(strings.ToLower(sent.Reply.Value.Content), "docker") {
		t.Errorf("answer = %+v", sent)
	}
}

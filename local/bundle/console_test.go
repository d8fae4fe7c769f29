package bundle

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"
)

// TestConsoleSocket: what a visitor writes reaches a console by the feed, push and the
// socket on the page's own port, and a ticket is good once.
func TestConsoleSocket(t *testing.T) {
	b, err := Open(t.Context(), Config{Folder: filepath.Join(t.TempDir(), "data"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- b.Serve(ctx) }()
	defer func() { stop(); <-served }()

	call := func(method, path, key, body string, out any) {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, method, b.Page+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Parley-Key", b.Key)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json")
		if key != "" {
			r.Header.Set("Authorization", "Bearer "+key)
		}
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		if a.StatusCode >= 300 {
			t.Fatalf("%s %s = %s", method, path, a.Status)
		}
		if err := json.NewDecoder(a.Body).Decode(out); err != nil {
			t.Fatal(err)
		}
	}
	var visitor struct{ Token string }
	call("POST", "/identify", "", "{}", &visitor)
	var sent struct{ Session struct{ ID string } }
	call("POST", "/chat", visitor.Token, `{"messageId": "m-1", "content": "Hello"}`, &sent)
	session := "/operator/sessions/" + sent.Session.ID
	var any map[string]any
	call("PUT", session+"/holder", b.PrivateKey, `{"holder": "human"}`, &any)
	var way struct{ Ticket, Socket string }
	call("POST", "/operator/ticket", b.PrivateKey, "", &way)

	patient, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	address := "ws" + strings.TrimPrefix(b.Page, "http") + way.Socket + "?ticket=" + way.Ticket
	ws, _, err := websocket.Dial(patient, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	if again, _, err := websocket.Dial(patient, address, nil); err == nil {
		again.CloseNow()
		t.Error("a ticket is good twice")
	}
	until := func(typ, words string) {
		t.Helper()
		for {
			_, frame, err := ws.Read(patient)
			if err != nil {
				t.Fatalf("waiting for %s %q: %v", typ, words, err)
			}
			if strings.Contains(string(frame), `"type":"`+typ+`"`) && strings.Contains(string(frame), words) {
				return
			}
		}
	}
	if err := ws.Write(patient, websocket.MessageText, []byte(`{"watch": "`+sent.Session.ID+`"}`)); err != nil {
		t.Fatal(err)
	}
	until("watching", sent.Session.ID)
	call("POST", "/chat/"+sent.Session.ID+"/typing", visitor.Token, `{"typing": true}`, &any)
	until("typing", `"kind":"user"`)
	began := time.Now()
	call("POST", "/chat", visitor.Token, `{"messageId": "m-2", "content": "Anybody?", "sessionId": "`+sent.Session.ID+`"}`, &sent)
	until("news", "Anybody?")
	t.Logf("told %v after the request began", time.Since(began))

	// So is what a user of ChatHub types, in the session that their first message began.
	var key struct{ Kid, Secret string }
	call("POST", "/operator/project/signing-keys", b.PrivateKey, "{}", &key)
	claims := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "ann", "exp": time.Now().Add(time.Hour).Unix()})
	claims.Header["kid"] = key.Kid
	token, err := claims.SignedString([]byte(key.Secret))
	if err != nil {
		t.Fatal(err)
	}
	hub, _, err := websocket.Dial(patient, "ws"+strings.TrimPrefix(b.Page, "http")+"/hubs/chat?agentId=demo.guide&access_token="+token, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer hub.CloseNow()
	said := func(record string) {
		t.Helper()
		if err := hub.Write(patient, websocket.MessageText, []byte(record+"\x1e")); err != nil {
			t.Fatal(err)
		}
	}
	said(`{"protocol":"json","version":1}`)
	said(`{"type":1,"target":"SendMessageAsync","invocationId":"0","arguments":[{"content":"Hello"}]}`)
	var begun struct {
		Result struct{ ConversationID string }
	}
	for begun.Result.ConversationID == "" {
		_, frame, err := hub.Read(patient)
		if err != nil {
			t.Fatal(err)
		}
		for record := range bytes.SplitSeq(bytes.TrimSuffix(frame, []byte("\x1e")), []byte("\x1e")) {
			if bytes.Contains(record, []byte("conversationId")) {
				if err := json.Unmarshal(record, &begun); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	id := begun.Result.ConversationID
	if err := ws.Write(patient, websocket.MessageText, []byte(`{"watch": "`+id+`"}`)); err != nil {
		t.Fatal(err)
	}
	until("watching", id)
	said(`{"type":1,"target":"TypingAsync"}`)
	until("typing", `"session":"`+id+`"`)
}

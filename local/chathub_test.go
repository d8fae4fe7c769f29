package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"
)

// TestChatHub: a client of a SignalR hub connects to make run as it negotiates, hears
// the reply in pieces and whole, and is told to come back when Parley stops.
func TestChatHub(t *testing.T) {
	p := start(t, t.TempDir())
	var key struct{ Kid, Secret string }
	p.call(p.private, "POST", "/project/signing-keys", object{}, &key)
	claims := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "user_1", "exp": time.Now().Add(time.Hour).Unix()})
	claims.Header["kid"] = key.Kid
	token, err := claims.SignedString([]byte(key.Secret))
	if err != nil {
		t.Fatal(err)
	}
	query := "agentId=demo.guide&access_token=" + url.QueryEscape(token)
	var negotiated struct{ ConnectionToken string }
	response, err := http.Post(p.page+"/hubs/chat/negotiate?negotiateVersion=1&"+query, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&negotiated); err != nil {
		t.Fatal(err)
	}
	if negotiated.ConnectionToken == "" {
		t.Fatalf("negotiate = %s", response.Status)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(p.page, "http")+"/hubs/chat?"+query+"&id="+negotiated.ConnectionToken, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	var said, final string
	ended := false
	say := func(frame string) {
		t.Helper()
		if err := ws.Write(ctx, websocket.MessageText, []byte(frame+"\x1e")); err != nil {
			t.Fatal(err)
		}
	}
	hear := func() {
		t.Helper()
		_, frame, err := ws.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for text := range bytes.SplitSeq(bytes.TrimSuffix(frame, []byte("\x1e")), []byte("\x1e")) {
			var r struct {
				Target    string
				Arguments []struct {
					Content string
					IsFinal bool
				}
			}
			if err := json.Unmarshal(text, &r); err != nil {
				t.Fatalf("record %q: %v", text, err)
			}
			switch {
			case r.Target != "MessageReceived":
			case r.Arguments[0].IsFinal:
				final, ended = r.Arguments[0].Content, true
			default:
				said += r.Arguments[0].Content
			}
		}
	}
	say(`{"protocol":"json","version":1}`)
	hear()
	say(`{"type":6}`)
	hear()
	say(`{"type":1,"target":"SendMessageAsync","arguments":[{"content":"Do I need docker to try it?"}],"invocationId":"0"}`)
	for !ended {
		hear()
	}
	if said != final || !strings.Contains(strings.ToLower(final), "docker") {
		t.Errorf("chunks %q, final %q", said, final)
	}
	go p.kill(syscall.SIGTERM)
	for {
		if _, _, err = ws.Read(ctx); err != nil {
			break
		}
	}
	if got := websocket.CloseStatus(err); got != websocket.StatusGoingAway {
		t.Errorf("the connection ends with %d, want 1001: %v", got, err)
	}
}

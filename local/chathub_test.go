package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/coder/websocket"

	"parley/functions/chathub/chathubtest"
)

// TestChatHub: a client of a SignalR hub connects to make run as it negotiates, hears
// the reply in pieces and whole, and is told to come back when Parley stops.
func TestChatHub(t *testing.T) {
	folder := t.TempDir()
	p := start(t, folder)
	token, err := demoToken(folder, "user_1").Output()
	if err != nil {
		t.Fatal(err)
	}
	query := "agentId=demo.guide&access_token=" + url.QueryEscape(strings.TrimSpace(string(token)))
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
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for {
		if _, _, err = ws.Read(ctx); err != nil {
			break
		}
	}
	if got := websocket.CloseStatus(err); got != websocket.StatusGoingAway {
		t.Errorf("the connection ends with %d, want 1001: %v", got, err)
	}
}

// TestSignalRClient: that client itself is answered there.
func TestSignalRClient(t *testing.T) {
	folder := t.TempDir()
	p := start(t, folder)
	token, err := demoToken(folder, "user_1").Output()
	if err != nil {
		t.Fatal(err)
	}
	query := url.Values{"agentId": {"demo.guide"}, "access_token": {strings.TrimSpace(string(token))}}
	if reply := chathubtest.Ask(t, p.page, query, "Do I need docker to try it?"); !strings.Contains(strings.ToLower(reply), "docker") {
		t.Errorf("the reply is %q", reply)
	}
}

// TestHubIsNamed: whoever starts Parley, and whoever opens its page, is told where the hub
// is and how to get a token.
func TestHubIsNamed(t *testing.T) {
	p := start(t, t.TempDir())
	response, err := http.Get(p.page + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string]string{"start": p.said, "page": string(page)} {
		for _, want := range []string{"/hubs/chat?agentId=demo.guide", "make token SUB=user_1"} {
			if !strings.Contains(text, want) {
				t.Errorf("the %s does not name %q", where, want)
			}
		}
	}
	if !strings.Contains(p.said, p.page+"/hubs/chat") {
		t.Errorf("it prints %q, want the hub's whole address", p.said)
	}
}

// demoToken prints a token for the demo project of a folder.
func demoToken(folder, sub string) *exec.Cmd {
	cmd := command(folder)
	cmd.Args = append(cmd.Args, "token", sub)
	return cmd
}

// TestTokenRefused: there is none of nobody, and none where no Parley has been.
func TestTokenRefused(t *testing.T) {
	for sub, want := range map[string]string{"": "SUB=user_1", "user_1": "make run"} {
		if line := refused(t, demoToken(t.TempDir(), sub)); !strings.Contains(line, want) {
			t.Errorf("for %q it says %q, want %q in it", sub, line, want)
		}
	}
}

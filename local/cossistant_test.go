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

	"github.com/chromedp/chromedp"
	"github.com/coder/websocket"

	"parley/functions/cossistant/cossistanttest"
)

// widget is a page with Cossistant's widget at make run.
type widget struct {
	t *testing.T
	p *process
	*cossistanttest.Widget
	ws   *websocket.Conn
	over chan error
}

// call makes one of the widget's requests.
func (w *widget) call(visitor, method, path string, body any) map[string]any {
	w.t.Helper()
	content, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.p.page+"/cossistant/v1"+path, bytes.NewReader(content))
	if err != nil {
		w.t.Fatal(err)
	}
	for name, value := range map[string]string{"Origin": w.p.page, "Content-Type": "application/json", "X-Public-Key": w.p.key, "X-Visitor-Id": visitor} {
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(response.Body).Decode(&out); err != nil || response.StatusCode != http.StatusOK {
		w.t.Fatalf("%s %s = %d %v, %v", method, path, response.StatusCode, out, err)
	}
	return out
}

// widgetAt loads a page with the widget, which connects.
func widgetAt(t *testing.T, p *process) *widget {
	t.Helper()
	w := &widget{t: t, p: p, over: make(chan error, 1)}
	website := w.call("", http.MethodGet, "/websites", nil)
	w.Widget = cossistanttest.NewWidget(website["id"].(string), website["visitor"].(map[string]any)["id"].(string))
	address := "ws" + strings.TrimPrefix(p.page, "http") + "/cossistant/ws?" + url.Values{"visitorId": {w.Visitor}, "publicKey": {p.key}}.Encode()
	ws, _, err := websocket.Dial(t.Context(), address, &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {p.page}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.CloseNow() })
	ws.SetReadLimit(1 << 20)
	w.ws = ws
	go func() {
		for {
			_, frame, err := ws.Read(context.Background())
			if err != nil {
				w.over <- err
				return
			}
			w.Take(frame)
		}
	}()
	waitFor(t, "the welcome", func() bool { return len(w.Events("CONNECTION_ESTABLISHED")) == 1 })
	return w
}

// TestCossistant: a page with Cossistant's widget is answered under make run; a person
// sees in the console what its visitor is about to write, and is seen to read, to type
// and to answer; and when Parley stops the page is told to come back.
func TestCossistant(t *testing.T) {
	p := start(t, t.TempDir())
	w := widgetAt(t, p)
	const chat = "CO1"
	w.Load(w.call(w.Visitor, http.MethodPost, "/conversations", map[string]any{"conversationId": chat, "visitorId": w.Visitor,
		"defaultTimelineItems": []any{map[string]any{"id": "m1", "type": "message", "text": "Do I need docker to try it?", "visitorId": w.Visitor}}}))
	waitFor(t, "the answer", func() bool { return len(w.Timeline(chat)) == 2 })
	o := operate(t, p, p.private)
	o.list("AI")
	o.open("cossistant")
	o.press("Take over")
	o.awaitChips("Open", "You answer", "Online now")
	waitFor(t, "somebody joins", func() bool { return len(w.Timeline(chat)) == 3 })
	who, _ := w.Item(chat, w.Timeline(chat)[2])["userId"].(string)
	waitFor(t, "they have seen it", func() bool { return w.SeenAt(chat, who) != "" })
	frame := `{"type":"conversationTyping","payload":{"conversationId":"CO1","isTyping":true,"visitorPreview":"I meant pod"}}`
	if err := w.ws.Write(t.Context(), websocket.MessageText, []byte(frame)); err != nil {
		t.Fatal(err)
	}
	o.await(`document.querySelector(".typist:not([hidden]) .preview")?.textContent == "I meant pod"`)
	o.do(chromedp.SendKeys(chromedp.CSS(".composer textarea"), "No, neither"))
	waitFor(t, "the console's person types", func() bool {
		for _, e := range w.Events("conversationTyping") {
			if e.Payload["userId"] != nil && e.Payload["isTyping"] == true {
				return true
			}
		}
		return false
	})
	o.enter()
	waitFor(t, "their message", func() bool { return len(w.Timeline(chat)) == 4 })
	o.awaitMessages("human", "No, neither")
	if err := w.Faults(); err != nil {
		t.Error(err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-w.over:
		if got := websocket.CloseStatus(err); got != websocket.StatusGoingAway {
			t.Errorf("the connection ends with %d, want 1001: %v", got, err)
		}
	case <-time.After(patience):
		t.Error("the connection stays")
	}
}

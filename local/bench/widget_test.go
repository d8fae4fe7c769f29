package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// messages are how many of a person's messages are timed, and pinged after how many of
// them a ping is timed too: a page that sends more frames in a second is cut off.
const (
	messages = 50
	pinged   = 4
)

// measureWidget times a person's messages on their way to a page with Cossistant's
// widget, from the request of the operator API to the frame, under `make run`.
func measureWidget(t *tier) {
	p := startParley(t, serveModel(t, 1, time.Millisecond))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	visitor := ""
	call := func(method, path string, body any) map[string]any {
		content, err := json.Marshal(body)
		fatal(t, err)
		r, err := http.NewRequestWithContext(ctx, method, p.page+path, bytes.NewReader(content))
		fatal(t, err)
		headers := map[string]string{"Content-Type": "application/json", "Authorization": "Bearer " + p.private}
		if strings.HasPrefix(path, "/cossistant/") {
			headers = map[string]string{"Content-Type": "application/json", "Origin": p.page, "X-Public-Key": p.key, "X-Visitor-Id": visitor}
		}
		for name, value := range headers {
			r.Header.Set(name, value)
		}
		response, err := http.DefaultClient.Do(r)
		fatal(t, err)
		defer response.Body.Close()
		var out map[string]any
		if err := json.NewDecoder(response.Body).Decode(&out); err != nil || response.StatusCode/100 != 2 {
			t.Fatalf("%s %s = %d %v, %v", method, path, response.StatusCode, out, err)
		}
		return out
	}
	visitor = call("GET", "/cossistant/v1/websites", nil)["visitor"].(map[string]any)["id"].(string)
	address := "ws" + strings.TrimPrefix(p.page, "http") + "/cossistant/ws?" + url.Values{"visitorId": {visitor}, "publicKey": {p.key}}.Encode()
	ws, _, err := websocket.Dial(ctx, address, &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {p.page}}})
	fatal(t, err)
	defer ws.CloseNow()
	ws.SetReadLimit(1 << 20)
	hears := func(words string) time.Time {
		for {
			_, frame, err := ws.Read(ctx)
			fatal(t, err)
			if strings.Contains(string(frame), words) {
				return time.Now()
			}
		}
	}
	hears("CONNECTION_ESTABLISHED")
	call("POST", "/cossistant/v1/conversations", map[string]any{"conversationId": "CO1", "visitorId": visitor,
		"defaultTimelineItems": []any{map[string]any{"id": "m1", "type": "message", "text": "Hello", "visitorId": visitor}}})
	hears(`"timelineItemCreated"`)
	var took samples
	var machine beside
	for n := range messages {
		words := fmt.Sprint("This is message ", n, ".")
		began := time.Now()
		heard := make(chan time.Time, 1)
		go func() { heard <- hears(words) }()
		call("POST", "/operator/sessions/CO1/reply", map[string]any{"messageId": fmt.Sprint("h", n), "content": words})
		took.add((<-heard).Sub(began))
		if n%pinged == 0 {
			began = time.Now()
			fatal(t, ws.Write(ctx, websocket.MessageText, []byte("ping")))
			machine.pings.add(hears("pong").Sub(began))
		}
		fatal(t, machine.sync(filepath.Join(p.Dir, "synced")))
	}
	const name = "from a person's message to a page with Cossistant's widget, under `make run`: half of them"
	machine.judge(t, 50, name, millis(took.median()), "≤ "+millis(liveGoal), took.median() <= liveGoal)
	t.note(fmt.Sprint("… the slowest of ", messages), millis(took.percentile(100)))
}

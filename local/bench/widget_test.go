package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// What is measured of a person's message: so many of them, and how long one may take
// to a visitor's page.
const (
	messages    = 50
	messageGoal = 50 * time.Millisecond
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
	var took []time.Duration
	for n := range messages {
		words := fmt.Sprint("This is message ", n, ".")
		began := time.Now()
		heard := make(chan time.Time, 1)
		go func() { heard <- hears(words) }()
		call("POST", "/operator/sessions/CO1/reply", map[string]any{"messageId": fmt.Sprint("h", n), "content": words})
		took = append(took, (<-heard).Sub(began))
	}
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	half := took[len(took)/2]
	t.hold("ms from a person's message to a page with Cossistant's widget, under `make run`: half of them", fmt.Sprintf("%.1f", ms(half)),
		fmt.Sprintf("≤ %.0f", ms(messageGoal)), half <= messageGoal)
	t.note("… the slowest of 50", fmt.Sprintf("%.1f", ms(took[len(took)-1])))
}

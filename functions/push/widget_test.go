package push_test

import (
	"strings"
	"testing"
	"time"

	"parley/functions/cossistant/cossistanttest"
	socketapi "parley/local/gateway"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/socket"
)

// TestC41Idle: a page that nobody tells anything stays connected by its pings.
func TestC41Idle(t *testing.T) {
	in(t, slowly, func(w *world) {
		h := w.widgets()
		tab := h.tab(h.arrive())
		time.Sleep(time.Minute + time.Second)
		if welcomes, pongs := len(tab.Events("CONNECTION_ESTABLISHED")), len(tab.Events("pong")); welcomes != 1 || pongs < 4 {
			t.Errorf("after a minute: welcomed %d times, %d pongs", welcomes, pongs)
		}
	})
}

// TestC49Beats: while a reply is being written the client is told so again before it
// stops to show it, and not after the reply, nor where nobody ended it.
func TestC49Beats(t *testing.T) {
	in(t, slowly, func(w *world) {
		h := w.widgets()
		tab := h.tab(h.arrive())
		time.Sleep(time.Second)
		tab.send("CO1", true, 1)
		time.Sleep(2500 * time.Millisecond)
		if !tab.Types("CO1", "guide") {
			t.Errorf("after the echo of the question nothing shows that it is answered: %v", types(tab.Events()))
		}
		time.Sleep(30 * time.Second)
		var beats int
		for _, e := range tab.Events("conversationTyping") {
			if e.Payload["isTyping"] == true {
				beats++
			}
		}
		if beats != 3 || tab.Types("CO1", "guide") || len(tab.Events("aiAgentProcessingCompleted")) != 1 {
			t.Errorf("of a reply of 6 s the client is told: %v", types(tab.Events()))
		}
		tab.same()
		w.responder = func() *process { return &process{w: w, diesAt: 20} }
		tab.send("CO1", false, 2)
		time.Sleep(20 * time.Second)
		before := len(tab.Events())
		time.Sleep(10 * time.Second)
		for _, e := range tab.Events()[before:] {
			if e.Type == "conversationTyping" {
				t.Error("who has died still says that it writes")
			}
		}
		w.responder = nil
		w.sweep(3 * time.Minute)
		tab.same()
	})
}

func types(events []cossistanttest.Event) (all []string) {
	for _, e := range events {
		all = append(all, e.Type)
	}
	return all
}

// TestC55NewestLast: the client takes the item that it is told last for the newest, and so
// counts what is unread. A person's reply is told last also where what came before it is
// told late, by whomever.
func TestC55NewestLast(t *testing.T) {
	for name, test := range map[string]struct {
		late  string // is in the frames that are late
		after time.Duration
		drops time.Duration // when the tab loses its connection, 0 is never
	}{
		"the question":    {`"id":"m1"`, 500 * time.Millisecond, 0},
		"the AI's":        {`"aiAgentId":"guide"`, 6500 * time.Millisecond, 0},
		"what was missed": {`"aiAgentId":"guide"`, 22 * time.Second, 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, slowly, func(w *world) {
				h := w.widgets()
				tab := h.tab(h.arrive())
				time.Sleep(time.Second)
				h.api.Inject(socketapi.Faults{Post: func(_ socket.Ref, frame []byte) (f socketapi.PostFault) {
					if strings.Contains(string(frame), `"timelineItemCreated"`) && strings.Contains(string(frame), test.late) {
						f.Delay = 2 * time.Second
					}
					return f
				}})
				tab.send("CO1", true, 1)
				time.AfterFunc(test.drops, func() {
					if test.drops > 0 {
						h.drop(tab)
					}
				})
				time.Sleep(test.after)
				by := parley.Author{Kind: parley.AuthorHuman, ID: "op", Name: "Ola"}
				if _, err := w.Store.Reply(w.Context(), parleytest.Operator(), by, parley.ReplyRequest{ID: "h1", Session: "CO1", Content: "Hello"}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(20 * time.Second)
				items := tab.Events("timelineItemCreated")
				if last := items[len(items)-1].Payload["item"].(map[string]any); last["id"] != "h1" || tab.Unread() != 1 {
					t.Errorf("the client is told last of %v, and counts %d as unread", last, tab.Unread())
				}
				tab.same()
			})
		})
	}
}

// TestC50PingMeets: a connection that nobody has welcomed is welcomed after its first
// ping, and told what it has missed.
func TestC50PingMeets(t *testing.T) {
	in(t, slowly, func(w *world) {
		h := w.widgets()
		tab := h.tab(h.arrive())
		time.Sleep(time.Second)
		tab.send("CO1", true, 1)
		time.Sleep(20 * time.Second)
		h.loses = 1
		h.drop(tab)
		time.Sleep(5 * time.Second)
		by := parley.Author{Kind: parley.AuthorHuman, ID: "op", Name: "Ola"}
		if _, err := w.Store.Reply(w.Context(), parleytest.Operator(), by, parley.ReplyRequest{ID: "h1", Session: "CO1", Content: "Hello"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if tab.Item("CO1", "h1") != nil {
			t.Fatal("a connection that nobody has welcomed is told")
		}
		time.Sleep(10 * time.Second)
		tab.same()
	})
}

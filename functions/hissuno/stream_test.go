package hissuno_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/sse"
	"parley/shared/table"
)

// gone is a reader who leaves before an event of that type arrives.
type gone struct {
	*httptest.ResponseRecorder
	before string
}

func (g gone) Write(b []byte) (int, error) {
	if strings.Contains(string(b), g.before) {
		return 0, errors.New("the reader has left")
	}
	return g.ResponseRecorder.Write(b)
}

// TestReaderLeavesAtTheEnd: a reply whose last event finds no reader is given to the
// next one.
func TestReaderLeavesAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHours(t)
		h.do(http.MethodPost, "", `{"projectId":"`+h.Key+`","sessionId":"`+session+`","messages":[{"role":"user","content":"Hello"}]}`)
		r := httptest.NewRequest(http.MethodGet, "/hissuno/chat/stream?"+url.Values{"projectId": {h.Key}, "sessionId": {session}}.Encode(), nil)
		left := gone{httptest.NewRecorder(), "message-complete"}
		h.handler.ServeHTTP(left, r)
		if heard := left.Body.String(); !strings.Contains(heard, "two.") || strings.Contains(heard, "message-complete") {
			t.Fatalf("the reader heard %q", heard)
		}
		h.minutes(2) // so long that a page which had received it would have shown that
		if got := h.do(http.MethodGet, "", "").Body.String(); !strings.Contains(got, `"isRunning":true`) {
			t.Errorf("the next page is told %s", got)
		}
		if got := h.do(http.MethodGet, "/stream", "").Body.String(); !strings.Contains(got, "message-complete") {
			t.Errorf("the next reader hears %q", got)
		}
	})
}

// TestReplyIsReadOnce: a page that has read a reply to its end and asks for its updates
// is not given it again, nor is the next.
func TestReplyIsReadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHours(t)
		h.ask()
		h.told()
		if got := h.do(http.MethodGet, "", "").Body.String(); !strings.Contains(got, `"isRunning":false`) {
			t.Errorf("the next page is told %s", got)
		}
		h.minutes(1)
	})
}

// TestPageClosesAtTheEnd: a page that leaves right after a reply may not have received
// it, so the next one is given it. One that closes the conversation and stays has.
func TestPageClosesAtTheEnd(t *testing.T) {
	for mediaType, again := range map[string]string{"text/plain;charset=UTF-8": `"isRunning":true`, "application/json": `"isRunning":false`} {
		synctest.Test(t, func(t *testing.T) {
			h := newHours(t)
			h.ask()
			h.closes(mediaType)
			h.minutes(2)
			if got := h.do(http.MethodGet, "", "").Body.String(); !strings.Contains(got, again) {
				t.Errorf("after a close as %s the next page is told %s", mediaType, got)
			}
		})
	}
}

// TestWhereUpdatesGoOn: a page whose connection is cut goes on after all that there is
// where it was told nothing, and else after what it had before.
func TestWhereUpdatesGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHours(t)
		h.ask()
		for _, want := range []string{"id: 2\n", "id: 2\n"} {
			got := h.do(http.MethodGet, "/updates", "").Body.String()
			if before, _, _ := strings.Cut(got, `"connected"`); !strings.Contains(before, want) {
				t.Errorf("the page goes on as is said in %q, want %q", got, want)
			}
			fatal(t, h.Store.TakeOver(t.Context(), h.operator(), session, ola))
		}
		h.minutes(1)
	})
}

// during is a reader to whom something happens while an event arrives.
type during struct {
	*httptest.ResponseRecorder
	event   string
	happens func()
}

func (d *during) Write(b []byte) (int, error) {
	if strings.Contains(string(b), d.event) && d.happens != nil {
		d.happens()
		d.happens = nil
	}
	return d.ResponseRecorder.Write(b)
}

// streams reads the reply, from an event on if that is not "".
func (h *hours) streams(w http.ResponseWriter, after string) {
	r := httptest.NewRequest(http.MethodGet, "/hissuno/chat/stream?"+url.Values{"projectId": {h.Key}, "sessionId": {session}}.Encode(), nil)
	if after != "" {
		r.Header.Set("Last-Event-ID", after)
	}
	h.handler.ServeHTTP(w, r)
}

func (h *hours) posts(messages string) string {
	h.Helper()
	return h.do(http.MethodPost, "", `{"projectId":"`+h.Key+`","sessionId":"`+session+`","messages":[`+messages+`]}`).Body.String()
}

// hello is a transcript of one message, later one of more.
const (
	hello = `{"role":"user","content":"Hello"}`
	later = hello + `,{"role":"assistant","content":"One, two."},{"role":"user","content":"Are you there?"}`
)

// TestReplyIsHeldBack: the end of a reply is not given to a page that has sent its
// beacon, which might store it, but once to the next; or to that one, if it stays.
func TestReplyIsHeldBack(t *testing.T) {
	for name, test := range map[string]func(h *hours, run string){
		"it is loaded anew": func(h *hours, _ string) {
			if got := h.do(http.MethodGet, "", "").Body.String(); !strings.Contains(got, `"isRunning":true`) {
				h.Errorf("the next page is told %s", got)
			}
			if got := h.do(http.MethodGet, "/stream", "").Body.String(); !strings.Contains(got, "two.") || !strings.Contains(got, "message-complete") {
				h.Errorf("the next page hears %q", got)
			}
		},
		"it stays": func(h *hours, run string) {
			rest := httptest.NewRecorder()
			h.streams(rest, run+"/9")
			if got := rest.Body.String(); strings.Contains(got, "two.") || !strings.Contains(got, "message-complete") {
				h.Errorf("it goes on with %q", got)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHours(t)
				h.posts(hello)
				reader := &during{httptest.NewRecorder(), "two.", h.beacon}
				h.streams(reader, "")
				heard := reader.Body.String()
				if !strings.Contains(heard, "two.") || strings.Contains(heard, "message-complete") {
					t.Fatalf("the page that has left hears %q", heard)
				}
				_, id, _ := strings.Cut(heard, "id: ")
				run, _, _ := strings.Cut(id, "/")
				test(h, run)
				h.told()
				if got := h.do(http.MethodGet, "", "").Body.String(); !strings.Contains(got, `"isRunning":false`) {
					t.Errorf("afterwards a page is told %s", got)
				}
				h.minutes(1)
			})
		})
	}
}

// TestNothingIsNotedOfAReaderWhoLeft: an acknowledgement is not noted as written to a
// reader who was known to have left before its end.
func TestNothingIsNotedOfAReaderWhoLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHours(t)
		h.ask()
		h.told()
		mark := func() table.Item {
			return parleytest.Everything(t, h.Table)[table.Key{PK: "demo/session/" + session, SK: "mark/page/"}]
		}
		before := mark()
		fatal(t, h.Store.TakeOver(t.Context(), h.operator(), session, ola))
		h.posts(hello)
		h.streams(gone{httptest.NewRecorder(), "message-chunk"}, "")
		if after := mark(); !after.Equal(before) {
			t.Errorf("noted: %v, before: %v", after, before)
		}
		if said, _ := spoken(t, h.do(http.MethodGet, "/stream", "").Body.String()); !strings.HasPrefix(said, "Thank you") {
			t.Errorf("the next reader hears %q", said)
		}
		h.minutes(1)
	})
}

// TestLettersComeWithTheTurn: what a person wrote while the chat was shut comes with
// the visitor's next message: alone, or in front of the agent's reply, once.
func TestLettersComeWithTheTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHours(t)
		writes := func(text string) {
			_, err := h.Store.Reply(t.Context(), h.operator(), ola, parley.ReplyRequest{ID: parley.EntryID(text), Session: session, Content: text})
			fatal(t, err)
		}
		heard := func(want string) {
			t.Helper()
			got := h.do(http.MethodGet, "/stream", "").Body
			if said, last := spoken(t, got.String()); said != want || last != "message-complete" {
				t.Errorf("the page hears %q and then %s, want %q", said, last, want)
			}
		}
		h.ask()
		h.told()
		writes("I am Ola")
		if got := h.posts(later); !strings.Contains(got, `"human_takeover"`) {
			t.Errorf("a page that asks for its updates is answered %s", got)
		}
		h.told()
		h.closes("application/json")
		writes("one")
		writes("two")
		if got := h.posts(later); !strings.Contains(got, `"processing"`) {
			t.Errorf("a page whose chat was shut is answered %s", got)
		}
		heard("Ola: I am Ola\n\nOla: one\n\nOla: two")
		if got := h.posts(later); !strings.Contains(got, `"human_takeover"`) {
			t.Errorf("with no more to tell, it is answered %s", got)
		}
		writes("three")
		h.posts(hello) // which is acknowledged
		heard("Ola: three\n\nThank you, your message has arrived. A person will answer you here.")
		writes("Bye")
		fatal(t, h.Store.HandBack(t.Context(), h.operator(), session, ola))
		h.posts(later)
		heard("Ola: Bye\n\nOne, two.")
		h.posts(later)
		heard("One, two.")
		h.minutes(2)
	})
}

// spoken joins the pieces of an event stream, and names the type of its last event.
func spoken(t *testing.T, body string) (said, last string) {
	t.Helper()
	for events := sse.NewReader(strings.NewReader(body)); ; {
		e, err := events.Next()
		if err == io.EOF {
			return said, last
		}
		fatal(t, err)
		var data struct{ Type, Content string }
		fatal(t, json.Unmarshal([]byte(e.Data), &data))
		said, last = said+data.Content, data.Type
	}
}

// TestLongLateReply: a reply that comes as an update comes in as many messages as the
// widget takes.
func TestLongLateReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHours(t)
		h.ask()
		h.told()
		caller := parley.Caller{Project: parleytest.Project, Visitor: h.Store.CapabilityVisitor(parleytest.Project, session), Capability: true,
			Channel: parley.ChannelHissuno}
		claim := parleytest.Send(t, h.Store, caller, parleytest.Say("slow", session, "Slowly?")).Claim
		sent := parleytest.Send(t, h.Store, caller, parleytest.Say("fast", session, "Faster!"))
		parleytest.Reply(t, h.Store, claim, "Here you are.")
		whole := strings.Repeat("ü", 3000) + "."
		_, err := h.Store.EndRun(t.Context(), sent.Ref, nil, parley.End{Next: 1, Of: "fast", Status: parley.StatusIncomplete, Text: whole, Unflushed: whole})
		fatal(t, err)
		var ids []string
		text := ""
		for events := sse.NewReader(h.do(http.MethodGet, "/updates", "").Body); ; {
			e, err := events.Next()
			if err == io.EOF {
				break
			}
			fatal(t, err)
			var data struct {
				Message struct{ ID, Content, SenderType string }
			}
			fatal(t, json.Unmarshal([]byte(e.Data), &data))
			if m := data.Message; m.ID != "" {
				ids, text = append(ids, m.ID+" at "+e.ID), text+m.Content
				if len(m.Content) > 4096 || m.SenderType != "ai" {
					t.Errorf("%d bytes of %s", len(m.Content), m.SenderType)
				}
			}
		}
		if !strings.HasPrefix(text, whole+"\n\nSorry") || len(ids) != 2 || ids[0] == ids[1] {
			t.Errorf("in %q: %d bytes ending in %q", ids, len(text), text[max(len(text)-90, 0):])
		}
		h.minutes(1)
	})
}

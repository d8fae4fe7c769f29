package hissuno_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
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

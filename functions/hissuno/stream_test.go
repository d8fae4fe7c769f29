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

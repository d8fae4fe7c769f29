package updates_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/functions/internal/functiontest"
	"parley/functions/updates"
	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/sse"
)

// talkative returns a kit whose visitors may say as much as they like.
func talkative(t *testing.T) *functiontest.Kit {
	t.Helper()
	k := functiontest.New(t, parley.Config{ProjectLife: -1})
	p := parleytest.Settings()
	p.Budgets = parley.Budgets{MessagesPerMinute: 1e6, VisitorTokens: 1e9, AddressTokens: 1e9, ProjectTokens: 1e12}
	parleytest.Put(t, k.Store, p)
	return k
}

// numbers returns the ids of the entries that a function told, and the id of the
// state after them; the state comes once, last.
func numbers(t *testing.T, k *functiontest.Kit, c api.Updates, r *http.Request) (entries []string, state string) {
	t.Helper()
	c.API = k.API
	h := updates.New(c)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	stream := sse.NewReader(w.Body)
	for {
		e, err := stream.Next()
		switch {
		case err != nil:
			return entries, state
		case e.Name == "entry":
			entries = append(entries, e.ID)
			state = ""
		case e.Name == "state":
			state = e.ID
		}
	}
}

// upTo lists the numbers after one up to another.
func upTo(after, last int) string {
	var all []string
	for n := after + 1; n <= last; n++ {
		all = append(all, fmt.Sprint(n))
	}
	return strings.Join(all, " ")
}

// TestLongAbsence: a client that was away for more entries than a page of the
// table holds gets all of them by one request, each once and in order, and then
// the session as it is after the last.
func TestLongAbsence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := talkative(t)
		caller, token := k.Visitor(t)
		session := parleytest.Turn(t, k.Store, caller, "m0", "")
		for n := 1; n <= parley.MaxPage+5; n++ {
			session = parleytest.Turn(t, k.Store, caller, parley.EntryID(fmt.Sprint("m", n)), session.ID)
		}
		last := int(session.Seq)
		if last <= 2*parley.MaxPage {
			t.Fatalf("the session has only %d entries", last)
		}
		for _, after := range []int{0, 1, last - 2*parley.MaxPage, last - parley.MaxPage - 1, last - parley.MaxPage, last - parley.MaxPage + 1, last - 1, last} {
			r := k.Request(http.MethodGet, fmt.Sprintf("/updates/%s?after=%d", session.ID, after), token, "")
			got, state := numbers(t, k, api.Updates{}, r)
			if strings.Join(got, " ") != upTo(after, last) || state != fmt.Sprint(last) {
				t.Errorf("after %d came %d entries (%.20q…) and state %q, want %d and %d", after, len(got), strings.Join(got, " "), state, last-after, last)
			}
		}
	})
}

// TestLongWhileHeld: the same while a request is held: entries that came faster
// than it looks are all told.
func TestLongWhileHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := talkative(t)
		caller, token := k.Visitor(t)
		session := parleytest.Turn(t, k.Store, caller, "m0", "")
		type told struct {
			entries []string
			state   string
		}
		done := make(chan told, 1)
		go func() {
			var got told
			r := k.Request(http.MethodGet, fmt.Sprintf("/updates/%s?after=%d", session.ID, session.Seq), token, "")
			got.entries, got.state = numbers(t, k, api.Updates{Hold: 50 * time.Second, Poll: 20 * time.Second}, r)
			done <- got
		}()
		time.Sleep(time.Second)
		first := int(session.Seq)
		for n := 1; n <= parley.MaxPage; n++ {
			session = parleytest.Turn(t, k.Store, caller, parley.EntryID(fmt.Sprint("m", n)), session.ID)
		}
		got, last := <-done, int(session.Seq)
		if strings.Join(got.entries, " ") != upTo(first, last) || got.state != fmt.Sprint(last) {
			t.Errorf("%d entries came and state %q, want %d and %d", len(got.entries), got.state, last-first, last)
		}
	})
}

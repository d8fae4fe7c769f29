package push_test

import (
	"testing"
	"time"

	"parley/shared/parley"
)

// TestEndedMeanwhile: a reply that is cancelled while its relay still tells what comes
// before it is not begun any more, whoever has told its end.
func TestEndedMeanwhile(t *testing.T) {
	in(t, slowly, func(w *world) {
		w.connect()
		w.send("m0")
		time.Sleep(8 * time.Second)
		w.settle()
		w.gateway.takes = time.Second
		w.lag = 1300 * time.Millisecond // so that the relay finds what a person has said, and push comes meanwhile
		w.reply("h0", "human0")
		w.send("m1")
		time.Sleep(1500 * time.Millisecond)
		if _, err := w.Store.Cancel(t.Context(), w.visitor, session, ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		w.settle()
		w.page.whole(1, "human0")
		if m := w.page.messages["r.m1"]; m != nil {
			t.Errorf("of the cancelled reply the page has %+v", m)
		}
		if w.page.typing {
			t.Error("the page still shows that something is written")
		}
		w.send(parley.EntryID("m2"))
		time.Sleep(40 * time.Second)
		w.settle()
		w.told("r.m2", text, false)
	})
}

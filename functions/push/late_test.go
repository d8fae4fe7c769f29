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
		w.lag = 300 * time.Millisecond
		w.reply("h0", "human0") // takes push three seconds
		w.send("m1")
		time.Sleep(500 * time.Millisecond)
		if _, err := w.Store.Cancel(t.Context(), w.visitor, session, ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
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

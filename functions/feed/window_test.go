package feed_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"parley/functions/feed"
	"parley/functions/internal/functiontest"
	"parley/shared/parley"
	"parley/shared/parleytest"
)

// TestWindows: however what happens in a session is cut into batches, the changes name
// each of its entries once, in order, and say how the session is at the end of a batch
// and whether its state or its place in the archive changed in it.
func TestWindows(t *testing.T) {
	k := functiontest.New(t, parley.Config{})
	caller, _ := k.Visitor(t)
	ctx, staff := t.Context(), parleytest.Operator()
	by := parley.Author{Kind: parley.AuthorHuman, ID: "op"}
	say := parley.SendRequest{ID: "m1", Session: "hub", Begins: true, Channel: parley.ChannelChatHub, Content: "Hello", Claim: true}
	sent := parleytest.Send(t, k.Store, caller, say)
	parleytest.Append(t, k.Store, sent.Claim, "Hello ")
	parleytest.Reply(t, k.Store, sent.Claim, "there")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(k.Store.Archive(ctx, staff, "hub", true))
	must(k.Store.Archive(ctx, staff, "hub", false))
	must(k.Store.TakeOver(ctx, staff, "hub", by))
	must(k.Store.HandBack(ctx, staff, "hub", by))
	say.ID, say.Begins, say.Claim = "m2", false, false
	parleytest.Send(t, k.Store, caller, say)
	_, err := k.Store.End(ctx, caller, "hub")
	must(err)
	last, err := k.Store.Session(ctx, caller, "hub")
	must(err)
	changes, err := k.Table.Changes(ctx, 0, 1000)
	must(err)
	// Alone, each says what it was about.
	want := []string{"opened 0-1 run m1 moved", "changed 1-2 ended m1", "changed 2-2 moved", "changed 2-2 moved", "changed 2-3", "changed 3-4", "changed 4-5 run m2", "changed 5-7 ended m2 moved closed"}
	for _, size := range []int{1, 2, 3, 5, 7, 9, 11, 1000} {
		var told []feed.Change
		h := feed.New(feed.Config{Bells: []feed.Bell{func(_ context.Context, c feed.Change) error {
			told = append(told, c)
			return nil
		}}})
		for batch := range slices.Chunk(changes, size) {
			records := make([]feed.Record, len(batch))
			for i, c := range batch {
				records[i] = feed.Record{ID: fmt.Sprint(c.Seq), Change: c.Change}
			}
			if failed := h(ctx, records); failed != "" {
				t.Fatalf("failed %q", failed)
			}
		}
		upto := parley.Seq(0)
		for _, c := range told {
			if c.After != upto || c.Upto < c.After || c.Session != "hub" || c.Channel != parley.ChannelChatHub {
				t.Errorf("batches of %d: after %d comes %+v", size, upto, c)
			}
			upto = c.Upto
		}
		end := told[len(told)-1]
		if upto != last.Seq || end.Run != "" || !end.Closed {
			t.Errorf("batches of %d: at the end %+v, the session has %d entries", size, end, last.Seq)
		}
		if size == 1000 && (len(told) != 1 || !end.Moved || end.Kind != feed.Opened) {
			t.Errorf("in one batch %+v", told)
		}
		// Who relays a reply sees to what there is at its end, and to nothing after it.
		for _, c := range told {
			if want := map[parley.Seq]parley.RunID{2: "m1", 7: "m2"}[c.Upto]; c.Ended != "" && c.Ended != want {
				t.Errorf("batches of %d: up to %d %q has ended, want %q", size, c.Upto, c.Ended, want)
			}
		}
		if got := lines(told); size == 1 && !slices.Equal(got, want) {
			t.Errorf("one by one:\n%q, want\n%q", got, want)
		}
	}
}

func lines(changes []feed.Change) (out []string) {
	for _, c := range changes {
		line := fmt.Sprintf("%s %d-%d", c.Kind, c.After, c.Upto)
		if c.Run != "" {
			line += " run " + string(c.Run)
		}
		if c.Ended != "" {
			line += " ended " + string(c.Ended)
		}
		if c.Moved {
			line += " moved"
		}
		if c.Closed {
			line += " closed"
		}
		out = append(out, line)
	}
	return out
}

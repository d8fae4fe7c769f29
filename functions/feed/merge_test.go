package feed_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"parley/functions/feed"
)

// TestMerge: what one batch brings of a session is told in one change: opened if
// its first record was there, erased if it is gone, closed if any close of it
// stuck, whichever record said so.
func TestMerge(t *testing.T) {
	closing := func(r feed.Record, from, to int) feed.Record {
		r.Old["data"], r.New["data"] = fmt.Sprintf(`{"closes":%d}`, from), fmt.Sprintf(`{"closes":%d}`, to)
		return r
	}
	tests := []struct {
		name    string
		records []feed.Record
		want    string
	}{
		{"a close alone", []feed.Record{closing(record("1", "a", 1, 2), 0, 1)}, "a changed closed"},
		{"a close before another change", []feed.Record{closing(record("1", "a", 1, 2), 0, 1), closing(record("2", "a", 2, 3), 1, 1)}, "a changed closed"},
		{"a close after another change", []feed.Record{closing(record("1", "a", 1, 2), 3, 3), closing(record("2", "a", 2, 3), 3, 4)}, "a changed closed"},
		{"a close of what was just opened", []feed.Record{record("1", "a", 0, 1), closing(record("2", "a", 1, 2), 0, 1)}, "a opened closed"},
		{"no close", []feed.Record{closing(record("1", "a", 1, 2), 1, 1), closing(record("2", "a", 2, 3), 1, 1)}, "a changed"},
		{"a close of another session", []feed.Record{closing(record("1", "a", 1, 2), 0, 1), record("2", "b", 1, 2)}, "a changed closed, b changed"},
		{"a close, then erased", []feed.Record{closing(record("1", "a", 1, 2), 0, 1), erased(record("2", "a", 2, 3))}, "a erased closed"},
		{"changed, then erased", []feed.Record{record("1", "a", 1, 2), erased(record("2", "a", 2, 3))}, "a erased"},
		{"erased, then its item changed", []feed.Record{erased(record("1", "a", 1, 2)), record("2", "a", 2, 3)}, "a erased"},
		{"erased, then expired", []feed.Record{erased(record("1", "a", 1, 2)), record("2", "a", 2, 0)}, "a erased"},
		{"expired, then opened anew", []feed.Record{record("1", "a", 2, 0), record("2", "a", 0, 1)}, "a erased"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var told []string
			h := feed.New(feed.Config{Log: slog.New(slog.DiscardHandler), Bells: []feed.Bell{func(_ context.Context, c feed.Change) error {
				line := fmt.Sprintf("%s %s", c.Session, c.Kind)
				if c.Closed {
					line += " closed"
				}
				told = append(told, line)
				return nil
			}}})
			if failed := h(t.Context(), test.records); failed != "" || !slices.Equal(told, strings.Split(test.want, ", ")) {
				t.Errorf("told %q, failed %q; want %q", told, failed, test.want)
			}
		})
	}
}

// TestOneSessionOfTwoProjects: sessions are told apart by their project too.
func TestOneSessionOfTwoProjects(t *testing.T) {
	other := record("2", "a", 3, 4)
	other.Old["pk"], other.New["pk"] = "shop/session/a", "shop/session/a"
	var told []string
	h := feed.New(feed.Config{Bells: []feed.Bell{func(_ context.Context, c feed.Change) error {
		told = append(told, fmt.Sprintf("%s %s %s", c.Project, c.Session, c.Kind))
		return nil
	}}})
	if h(t.Context(), []feed.Record{record("1", "a", 0, 1), other}); !slices.Equal(told, []string{"demo a opened", "shop a changed"}) {
		t.Errorf("told %q", told)
	}
}

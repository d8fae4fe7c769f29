package agent_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"parley/shared/agent"
)

// filtered is what comes out of a filter for these deltas, one entry an emit.
func filtered(t testing.TB, deltas ...string) ([]string, agent.Result) {
	t.Helper()
	var out []string
	f := agent.NewFilter(func(delta string) error {
		if delta == "" {
			t.Error("emitted an empty delta")
		}
		out = append(out, delta)
		return nil
	})
	for _, delta := range deltas {
		if err := f.Write(delta); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return out, f.Result()
}

func TestFilter(t *testing.T) {
	none := agent.Result{}
	handover := agent.Result{Handover: true, Reason: "The AI agent asked for a human."}
	goodbye := agent.Result{Goodbye: true}
	tests := []struct {
		text, want string
		result     agent.Result
	}{
		{"plain text", "plain text", none},
		{"", "", none},
		{"One moment.\n\n[HANDOVER]", "One moment.", handover},
		{"[handover]\nOne moment.", "One moment.", handover},
		{"a [Human_Takeover] b", "a b", handover},
		{"Bye! [GOODBYE]\n", "Bye!", goodbye},
		{"Bye! [Session_Goodbye]", "Bye!", goodbye},
		{"Glad. [RESOLVED]", "Glad.", agent.Result{LikelyResolved: true}},
		{"[COLLEAGUE] Hi, Ann here.", "Hi, Ann here.", none},
		{"[GOODBYE][GOODBYE]", "", goodbye},
		{"`[GOODBYE]`", "``", goodbye},
		{"see [GOODBYES] and [HAND] and [", "see [GOODBYES] and [HAND] and [", none},
		{"[[GOODBYE]", "[", goodbye},
		{"[GOODBYE", "[GOODBYE", none},
		{"ends in space  \n", "ends in space", none},
		{"  begins in space", "begins in space", none},
		{"[a](b)", "[a](b)", none},
		{"[HAND[GOODBYE]OVER] on", "[HAND on", agent.Result{Goodbye: true, Handover: true, Reason: handover.Reason}},
		{"[HAND [GOODBYE]OVER] on", "[HAND on", agent.Result{Goodbye: true, Handover: true, Reason: handover.Reason}},
		{"[ſESSION_GOODBYE]", "[ſESSION_GOODBYE]", none}, // no ASCII S
		{"日本[GOODBYE]語", "日本語", goodbye},
		{"broken \xff[GOODBYE]\xc3", "broken \xff\xc3", goodbye},
	}
	for _, test := range tests {
		whole, result := filtered(t, test.text)
		if got := strings.Join(whole, ""); got != test.want || !equal(result, test.result) {
			t.Errorf("filter(%q) = %q, %+v, want %q, %+v", test.text, got, result, test.want, test.result)
		}
		for at := range len(test.text) {
			split, _ := filtered(t, test.text[:at], test.text[at:])
			if got := strings.Join(split, ""); got != test.want {
				t.Errorf("filter(%q, %q) = %q, want %q", test.text[:at], test.text[at:], got, test.want)
			}
		}
	}
}

func equal(a, b agent.Result) bool {
	return a.Handover == b.Handover && a.Goodbye == b.Goodbye && a.LikelyResolved == b.LikelyResolved && a.Reason == b.Reason
}

func TestFilterHoldsNoMoreThanItMust(t *testing.T) {
	tests := []struct{ deltas, want []string }{
		{[]string{"Hello ", "there", ", you"}, []string{"Hello", " there", ", you"}},
		{[]string{"see [", "HAND", "Y] now"}, []string{"see", " [HANDY] now"}},
		{[]string{"see [HAND", "OVER", "] now"}, []string{"see", " now"}},
		{[]string{"a", "[", "x"}, []string{"a", "[x"}},
		{[]string{"a", "[G", "[", "G"}, []string{"a", "[G", "[G"}},
		{[]string{"a[GOODBYE", "S"}, []string{"a", "[GOODBYES"}},
	}
	for _, test := range tests {
		if got, _ := filtered(t, test.deltas...); !slices.Equal(got, test.want) {
			t.Errorf("filter%q emitted %q, want %q", test.deltas, got, test.want)
		}
	}
}

func TestFilterReturnsTheErrorOfEmit(t *testing.T) {
	refused := errors.New("refused")
	f := agent.NewFilter(func(string) error { return refused })
	if err := f.Write("a ["); err != refused {
		t.Errorf("Write = %v, want %v", err, refused)
	}
	if err := f.Close(); err != refused {
		t.Errorf("Close = %v, want %v", err, refused)
	}
}

var allMarkers = []string{"[HANDOVER]", "[GOODBYE]", "[RESOLVED]", "[COLLEAGUE]", "[HUMAN_TAKEOVER]", "[SESSION_GOODBYE]"}

// FuzzFilter cuts any text anywhere: what comes out is the same as for one
// delta, holds no marker, and is the trimmed text itself where that holds none.
func FuzzFilter(f *testing.F) {
	for _, marker := range allMarkers {
		f.Add("text "+marker+"\nmore", []byte{3, 9, 200})
		f.Add("[HAND"+marker+"OVER]", []byte{1, 1, 1, 1})
	}
	f.Add("[[[SESSION_[GOOD[GOODBYE]BYE]GOODBYE] \xff\xfe ſ [", []byte{7, 2})
	f.Fuzz(func(t *testing.T, text string, cuts []byte) {
		whole, result := filtered(t, text)
		want := strings.Join(whole, "")

		var deltas []string
		rest := text
		for _, n := range cuts {
			n := min(int(n), len(rest))
			deltas, rest = append(deltas, rest[:n]), rest[n:]
		}
		split, splitResult := filtered(t, append(deltas, rest)...)
		if got := strings.Join(split, ""); got != want || !equal(splitResult, result) {
			t.Errorf("filter%q = %q, %+v, want %q, %+v as for one delta", deltas, got, splitResult, want, result)
		}
		if holdsMarker(want) {
			t.Errorf("filter(%q) = %q, which holds a marker", text, want)
		}
		if trimmed := strings.Trim(text, " \t\r\n"); !holdsMarker(text) && want != trimmed {
			t.Errorf("filter(%q) = %q, want %q", text, want, trimmed)
		}
	})
}

func holdsMarker(text string) bool {
	upper := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, text)
	return slices.ContainsFunc(allMarkers, func(m string) bool { return strings.Contains(upper, m) })
}

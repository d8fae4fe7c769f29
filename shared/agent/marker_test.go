package agent_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"parley/shared/agent"
)

// filtered is what comes out of a filter for these deltas, one entry an emit.
func filtered(t testing.TB, markers bool, deltas ...string) ([]string, agent.Result) {
	t.Helper()
	var out []string
	f := agent.NewFilter(markers, func(delta string) error {
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
		{"One moment.\n [handover] \n\n", "One moment.", handover},
		{"Soon.\r\n[Human_Takeover]\r\n", "Soon.", handover},
		{"Bye!\n[GOODBYE]\n", "Bye!", goodbye},
		{"Bye!\n\t[Session_Goodbye]", "Bye!", goodbye},
		{"Glad.\n[RESOLVED]", "Glad.", agent.Result{LikelyResolved: true}},
		{"Glad.\n[RESOLVED]\n\n[GOODBYE]", "Glad.", agent.Result{LikelyResolved: true, Goodbye: true}},
		{"[GOODBYE]", "", goodbye},
		{"\n [GOODBYE]\n[GOODBYE]\n", "", goodbye},
		{"日本\n[GOODBYE]", "日本", goodbye},
		// A marker that does not stand alone, or not at the end, is a quotation.
		{"One moment. [HANDOVER]", "One moment. [HANDOVER]", none},
		{"[HANDOVER]\nOne moment.", "[HANDOVER]\nOne moment.", none},
		{"a\n [Human_Takeover]\nb", "a\n [Human_Takeover]\nb", none},
		{"a\n[HANDOVER]\n[GOODBYE]\nb", "a\n[HANDOVER]\n[GOODBYE]\nb", none},
		{"a\n[HANDOVER]\nb\n[GOODBYE]", "a\n[HANDOVER]\nb", goodbye},
		{"a\n[HANDOVER] and more", "a\n[HANDOVER] and more", none},
		{"a\n[HANDOVER].", "a\n[HANDOVER].", none},
		{"a\n[HANDOVER][GOODBYE]", "a\n[HANDOVER][GOODBYE]", none},
		{"a\n[HANDOVER] [GOODBYE]", "a\n[HANDOVER] [GOODBYE]", none},
		{"a\n`[GOODBYE]`", "a\n`[GOODBYE]`", none},
		{"a\n- [GOODBYE]", "a\n- [GOODBYE]", none},
		{"a\n[GOODBYE]\n[HAND", "a\n[GOODBYE]\n[HAND", none},
		{"a\n[GOODBYE]\n[HAND \n", "a\n[GOODBYE]\n[HAND", none},
		{"a\n[COLLEAGUE]", "a\n[COLLEAGUE]", none},
		{"see [GOODBYES] and [HAND] and [", "see [GOODBYES] and [HAND] and [", none},
		{"a\n[[GOODBYE]", "a\n[[GOODBYE]", none},
		{"[GOODBYE", "[GOODBYE", none},
		{"ends in space  \n", "ends in space", none},
		{"  begins in space", "begins in space", none},
		{"[a](b)", "[a](b)", none},
		{"[ſESSION_GOODBYE]", "[ſESSION_GOODBYE]", none}, // no ASCII S
		{"broken \xff\n[GOODBYE]\xc3", "broken \xff\n[GOODBYE]\xc3", none},
	}
	for _, test := range tests {
		whole, result := filtered(t, true, test.text)
		if got := strings.Join(whole, ""); got != test.want || !equal(result, test.result) {
			t.Errorf("filter(%q) = %q, %+v, want %q, %+v", test.text, got, result, test.want, test.result)
		}
		for at := range len(test.text) {
			split, _ := filtered(t, true, test.text[:at], test.text[at:])
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
		{[]string{"see [", "HAND", "Y] now"}, []string{"see [", "HAND", "Y] now"}},
		{[]string{"a\n", "[HAND", "Y] now"}, []string{"a", "\n[HANDY] now"}},
		{[]string{"a\n[HAND", "OVER]", "\n", "\nb"}, []string{"a", "\n[HANDOVER]\n\nb"}},
		{[]string{"a", "\n[", "x"}, []string{"a", "\n[x"}},
		{[]string{"a\n[GOODBYE", "S"}, []string{"a", "\n[GOODBYES"}},
		{[]string{"[G", " "}, []string{"[G"}},
	}
	for _, test := range tests {
		if got, _ := filtered(t, true, test.deltas...); !slices.Equal(got, test.want) {
			t.Errorf("filter%q emitted %q, want %q", test.deltas, got, test.want)
		}
	}
}

// A model with tools may quote any marker anywhere: nothing is removed, nothing
// happens, and nothing but white space is held back.
func TestFilterWithoutMarkers(t *testing.T) {
	got, result := filtered(t, false, " Write", " so:\n[HANDOVER]", "\n[GOOD", "BYE]\n")
	if want := []string{"Write", " so:\n[HANDOVER]", "\n[GOOD", "BYE]"}; !slices.Equal(got, want) || !equal(result, agent.Result{}) {
		t.Errorf("emitted %q, %+v, want %q", got, result, want)
	}
}

func TestFilterReturnsTheErrorOfEmit(t *testing.T) {
	refused := errors.New("refused")
	f := agent.NewFilter(true, func(string) error { return refused })
	if err := f.Write("a\n["); err != refused {
		t.Errorf("Write = %v, want %v", err, refused)
	}
	if err := f.Close(); err != refused {
		t.Errorf("Close = %v, want %v", err, refused)
	}
}

var allMarkers = []string{"[HANDOVER]", "[GOODBYE]", "[RESOLVED]", "[HUMAN_TAKEOVER]", "[SESSION_GOODBYE]"}

// FuzzFilter cuts any text anywhere: what comes out is the same as for one
// delta, its last line is no marker, and it is the text itself without the lines
// and the white space at its ends.
func FuzzFilter(f *testing.F) {
	for _, marker := range allMarkers {
		f.Add("text "+marker+"\nmore", []byte{3, 9, 200})
		f.Add("text\n"+marker+" \n[GOODBYE]", []byte{3, 9, 200})
		f.Add("[HAND"+marker+"OVER]", []byte{1, 1, 1, 1})
	}
	f.Add("[[[SESSION_[GOOD[GOODBYE]BYE]GOODBYE] \xff\xfe ſ [", []byte{7, 2})
	f.Fuzz(func(t *testing.T, text string, cuts []byte) {
		whole, result := filtered(t, true, text)
		got := strings.Join(whole, "")

		var deltas []string
		rest := text
		for _, n := range cuts {
			n := min(int(n), len(rest))
			deltas, rest = append(deltas, rest[:n]), rest[n:]
		}
		split, splitResult := filtered(t, true, append(deltas, rest)...)
		if again := strings.Join(split, ""); again != got || !equal(splitResult, result) {
			t.Errorf("filter%q = %q, %+v, want %q, %+v as for one delta", deltas, again, splitResult, got, result)
		}
		want, acts := strings.Trim(text, " \t\r\n"), false
		for {
			line := want[strings.LastIndexByte(want, '\n')+1:]
			if !isMarker(strings.Trim(line, " \t\r")) {
				break
			}
			want, acts = strings.TrimRight(strings.TrimSuffix(want, line), " \t\r\n"), true
		}
		if got != want || acts != (result.Handover || result.Goodbye || result.LikelyResolved) {
			t.Errorf("filter(%q) = %q, %+v, want %q, something happens: %v", text, got, result, want, acts)
		}
	})
}

func isMarker(line string) bool {
	return slices.ContainsFunc(allMarkers, func(m string) bool {
		return len(line) == len(m) && strings.EqualFold(line, m)
	})
}

package parley

import (
	"encoding/json"
	"strings"
	"testing"
)

// FuzzHints: no JSON is refused as a hint, and what is kept of it can be stored.
func FuzzHints(f *testing.F) {
	for _, seed := range []string{`{"plan":"pro","seats":3,"shop":{"id":[1,null]},"plan":"free"}`, `null`, `[1]`, ` "x"`, `-1e9`, `{}`,
		`{"` + strings.Repeat("ü", 400) + `":"` + strings.Repeat("x", 600) + `"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var in struct {
			Text  HintText
			Pairs Hints
		}
		body := []byte(`{"Text":` + string(data) + `,"Pairs":` + string(data) + `}`)
		if !json.Valid(data) || !json.Valid(body) {
			return // it would not have got so far
		}
		if err := json.Unmarshal(body, &in); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		kept := in.Pairs.Metadata()
		if err := checkPairs("metadata", kept); err != nil {
			t.Errorf("%s: %v", data, err)
		}
		for name, text := range kept {
			if strings.ToValidUTF8(name+text, "") != name+text {
				t.Errorf("%s: kept %q as %q", data, name, text)
			}
		}
	})
}

// TestHintsInOrder: what was said first is kept where not all can be.
func TestHintsInOrder(t *testing.T) {
	var h Hints
	if err := json.Unmarshal([]byte(`{"b":"first","a":"second","b":"third"}`), &h); err != nil {
		t.Fatal(err)
	}
	if got := h.Metadata(); len(got) != 2 || got["b"] != "first" || h.Of("b") != "first" || h.Of("c") != "" {
		t.Errorf("hints %v, metadata %v", h, got)
	}
	for len(h) <= MaxMetadata {
		h = append(h, Hint{Name: strings.Repeat("x", len(h))})
	}
	if got := h.Metadata(); len(got) != MaxMetadata || got["a"] != "second" {
		t.Errorf("%d are kept: %v", len(got), got)
	}
}

// TestHintKeepsItsLines: control characters that a text needs stay in a hint, the
// others become spaces.
func TestHintKeepsItsLines(t *testing.T) {
	const said = "a\tb\nc\r\n\x00d\u2028e\x1bf"
	if got, want := HintText(said).Kept(100), "a\tb\nc\r\n d e f"; got != want {
		t.Errorf("kept %q, want %q", got, want)
	}
}

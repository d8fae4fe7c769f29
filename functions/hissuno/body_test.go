package hissuno

import (
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"parley/shared/api"
)

// filled is a body of MaxBodyBytes at most, of many pieces between a beginning and an end.
func filled(begin, piece, end string) string {
	return begin + strings.TrimSuffix(strings.Repeat(piece, (MaxBodyBytes-len(begin)-len(end))/len(piece)), ",") + end
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestHostileBody: whatever is in a body, reading it takes a small multiple of its
// length.
func TestHostileBody(t *testing.T) {
	for name, body := range map[string]string{
		"empty messages":        filled(`{"messages":[`, `{},`, `]}`),
		"messages of the user":  filled(`{"messages":[`, `{"role":"user","content":"x"},`, `]}`),
		"unknown fields":        filled(`{"messages":[`, `{"a":0},`, `]}`),
		"one long message":      filled(`{"messages":[{"role":"user","content":"`, `x`, `"}]}`),
		"one message of lists":  filled(`{"messages":[{"role":"user","content":[`, `[],`, `]}]}`),
		"many pairs":            filled(`{"messages":[],"userMetadata":{`, `"":"",`, `}}`),
		"lists where none are":  filled(`{"other":[`, `[],`, `]}`),
		"messages in messages":  filled(`{"messages":[`, `{"messages":[{}]},`, `]}`),
		"the same field, again": filled(`{`, `"messages":[{}],`, `"a":0}`),
		"numbers":               filled(`{"messages":[`, `0,`, `]}`),
		"not ended":             filled(`{"messages":[`, `{},`, ``),
		"no JSON":               filled(``, `{`, ``),
	} {
		r := httptest.NewRequest("POST", "/hissuno/chat", strings.NewReader(body))
		var in message
		var err error
		if got := allocated(func() { err = api.DecodeLong(r, MaxBodyBytes, &in) }); got > 8*MaxBodyBytes {
			t.Errorf("%s: %d bytes are allocated for %d, %v", name, got, len(body), err)
		} else {
			t.Logf("%s: %.1f times its length, %v", name, float64(got)/float64(len(body)), err)
		}
	}
}

// TestTranscript: of a transcript the visitor's last message is read, and how many
// messages there are.
func TestTranscript(t *testing.T) {
	for body, want := range map[string]struct {
		many int
		text string // "" if it is refused
	}{
		`{"messages":[{"role":"user","content":"one"}]}`:                                                                                          {1, "one"},
		`{"messages":[{"role":"user","content":"one"},{"role":"assistant","content":"two"}]}`:                                                     {2, "one"},
		`{"messages":[{"role":"user","content":"a longer one"},{"role":"user","content":"two"},{"role":"assistant","content":"and a long one"}]}`: {3, "two"},
		`{"messages":[{"role":"user","content":"one"},{"role":"user","content":5}]}`:                                                              {2, ""},
		`{"messages":[{"role":"user","content":"one"},{"role":"user"}]}`:                                                                          {2, ""},
		`{"messages":[{"role":"user"},{"role":"assistant","content":"two"}]}`:                                                                     {2, ""},
		`{"messages":[{"role":"user","content":"one"}],"messages":[{"role":"user","content":"two"}]}`:                                             {1, "two"},
		`{"messages":[]}`:   {0, ""},
		`{"messages":null}`: {0, ""},
		`{}`:                {0, ""},
	} {
		var in message
		if err := api.DecodeLong(httptest.NewRequest("POST", "/", strings.NewReader(body)), MaxBodyBytes, &in); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		if text, err := in.text(); text != want.text || in.Messages.many != want.many || (err == nil) != (want.text != "") {
			t.Errorf("%s: %q of %d, %v; want %q of %d", body, text, in.Messages.many, err, want.text, want.many)
		}
	}
	for body, want := range map[string]string{
		`{"messages":5}`:               "messages cannot be a number",
		`{"messages":{}}`:              "messages cannot be a object",
		`{"messages":"x"}`:             "messages cannot be a string",
		`{"messages":[5]}`:             "messages cannot be a number",
		`{"messages":[{"role":true}]}`: "messages.role cannot be a bool",
	} {
		var in message
		err := api.DecodeLong(httptest.NewRequest("POST", "/", strings.NewReader(body)), MaxBodyBytes, &in)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
}

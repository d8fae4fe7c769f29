package bundletest

import (
	"net/http"
	"strings"
	"testing"

	"parley/functions/hissuno"
)

// TestMemory: no body drives a function out of the memory that the template gives it,
// least of all one of somebody without a key.
func TestMemory(t *testing.T) {
	s := deploy(t, functionURLs)
	hostile := map[string]struct {
		path, begin, piece, end string
		length                  int
		header                  http.Header
	}{
		"hissuno": {"/hissuno/chat", `{"messages":[`, `{},`, `{}]}`, hissuno.MaxBodyBytes - 100, nil},
		"close":   {"/close", `{"key":"","others":[`, `{},`, `{}]}`, 120 << 10, nil},
		"opencx":  {"/backend/widget/v2/chat/send", `{"attachments":[`, `{},`, `{}]}`, 500 << 10, nil},
		"chat":    {"/chat", `{"attachments":[`, `"",`, `""]}`, 120 << 10, nil},
	}
	for name, h := range hostile {
		body := h.begin + strings.Repeat(h.piece, h.length/len(h.piece)) + h.end
		for range 3 {
			response, err := http.Post(s.addresses[name]+h.path, "application/json", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode/100 != 4 {
				t.Errorf("%s: %d", name, response.StatusCode)
			}
		}
		peak := s.functions[name].Peak()
		if peak == 0 {
			t.Skip("this system does not tell how much memory a process has had")
		}
		t.Logf("%s: %.0f MB", name, float64(peak)/1e6)
		if peak > 100e6 {
			t.Errorf("%s has had %.0f MB of 128 for a body of %.1f MB", name, float64(peak)/1e6, float64(len(body))/1e6)
		}
	}
}

package openai_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"parley/shared/agent"
	"parley/shared/agent/openai"
)

// body answers every request with the same stream.
type body func() io.Reader

func (b body) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(b()), Request: r}, nil
}

// FuzzStream reads any bytes as a stream: the outcome does not depend on how
// the network cut them, every error is one of the port's, no text ends in a
// marker, and without a finish_reason no reply is complete.
func FuzzStream(f *testing.F) {
	f.Add("data: {\"choices\":[{\"delta\":{\"content\":\"Hi\\n[HAND\"},\"finish_reason\":null}]}\n\n" +
		"data: {\"choices\":[{\"delta\":{\"content\":\"OVER]\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n\n")
	f.Add(": beat\r\n\r\nevent: error\r\ndata: {\"error\":{\"message\":\"m\",\"code\":429}}\r\n\r\n")
	f.Add("data:{\"error\":null}\n\ndata: [DONE]")
	f.Add("data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n")
	f.Fuzz(func(t *testing.T, stream string) {
		ask := func(read body) (string, error) {
			a, err := openai.New(openai.Config{Model: "m", Key: key, HTTPClient: &http.Client{Transport: read}})
			if err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			c := question("Hi")
			c.Persona.NoTools = true
			_, err = a.Reply(t.Context(), c, func(delta string) error {
				text.WriteString(delta)
				return nil
			})
			return text.String(), err
		}
		text, err := ask(func() io.Reader { return strings.NewReader(stream) })
		again, err2 := ask(func() io.Reader { return iotest.OneByteReader(strings.NewReader(stream)) })
		if text != again || (err == nil) != (err2 == nil) {
			t.Errorf("whole: %q, %v; byte by byte: %q, %v", text, err, again, err2)
		}
		if err != nil && !errors.Is(err, agent.ErrCut) && !errors.Is(err, agent.ErrProvider) && !errors.Is(err, agent.ErrThrottled) {
			t.Errorf("Reply = %v, which is no error of the port", err)
		}
		if err == nil && !strings.Contains(strings.ToLower(stream), "finish_reason") {
			t.Errorf("complete without a finish_reason: %q", stream)
		}
		if err == nil && (text == "[HANDOVER]" || strings.HasSuffix(text, "\n[HANDOVER]")) {
			t.Errorf("emitted %q, which ends in a marker", text)
		}
	})
}

package socket_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"parley/shared/socket"
)

// TestRecovered: what breaks is answered in the dialect's words, and logged without
// what it may quote.
func TestRecovered(t *testing.T) {
	long := bytes.Repeat([]byte("x"), socket.MaxFrame+1)
	sorry := func(e socket.Event) socket.Answer {
		return socket.Answer{Status: 418, Frame: []byte("sorry " + e.Kind)}
	}
	for _, test := range []struct {
		name    string
		handler socket.Handler
		broken  func(socket.Event) socket.Answer
		want    string
		status  int
		logged  string
	}{
		{"fine", answers(socket.Answer{Frame: long[1:]}), sorry, string(long[1:]), 0, ""},
		{"panic", panics, sorry, "sorry message", 418, "*errors.errorString"},
		{"too long", answers(socket.Answer{Frame: long}), sorry, "sorry message", 418, "32769 bytes, at most 32768"},
		{"panic and no words", panics, nil, "", 500, "*errors.errorString"},
		{"panic twice", panics, func(socket.Event) socket.Answer { panic("again") }, "", 500, "panic=string"},
		{"words too long", panics, func(socket.Event) socket.Answer { return socket.Answer{Frame: long} }, "", 500, "32769 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log strings.Builder
			h := socket.Recovered(test.handler, test.broken, slog.New(slog.NewTextHandler(&log, nil)))
			got := h(t.Context(), socket.Event{Kind: socket.Message, Ref: socket.Ref{API: "chathub", ID: "id="}})
			if string(got.Frame) != test.want || got.Status != test.status {
				t.Errorf("answer = %d %.100q, want %d %.100q", got.Status, got.Frame, test.status, test.want)
			}
			if said := log.String(); (test.logged == "") != (said == "") || !strings.Contains(said, test.logged) || strings.Contains(said, "my order") {
				t.Errorf("logged %s", said)
			}
		})
	}
}

func answers(a socket.Answer) socket.Handler {
	return func(context.Context, socket.Event) socket.Answer { return a }
}

func panics(context.Context, socket.Event) socket.Answer { panic(errors.New("where is my order?")) }

func TestCheckFrame(t *testing.T) {
	if err := socket.CheckFrame(make([]byte, socket.MaxFrame)); err != nil {
		t.Error(err)
	}
	if err := socket.CheckFrame(make([]byte, socket.MaxFrame+1)); !errors.Is(err, socket.ErrTooLarge) {
		t.Errorf("CheckFrame = %v", err)
	}
}

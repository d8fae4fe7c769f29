package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/sse"
)

// TestCut: only what nobody chose is an error of a stream.
func TestCut(t *testing.T) {
	gone, leave := context.WithCancel(t.Context())
	leave()
	tests := []struct {
		name string
		ctx  context.Context
		err  error
		want bool
	}{
		{"nothing is wrong", t.Context(), nil, false},
		{"the reader left", t.Context(), fmt.Errorf("write event: %w", sse.ErrLeft), false},
		{"the request is over", gone, errors.New("x"), false},
		{"the session was erased", t.Context(), &parley.Error{Kind: parley.ErrNotFound}, false},
		{"the token was revoked", t.Context(), &parley.Error{Kind: parley.ErrDenied}, false},
		{"an event cannot be written", t.Context(), sse.ErrUnwritable, true},
		{"the table", t.Context(), parley.ErrUnavailable, true},
	}
	for _, test := range tests {
		var logged bytes.Buffer
		a := &api.API{Config: api.Config{Log: slog.New(slog.NewTextHandler(&logged, nil))}}
		a.Cut(httptest.NewRequestWithContext(test.ctx, "GET", "/", nil), "p", test.err)
		if got := strings.Contains(logged.String(), "stream cut"); got != test.want {
			t.Errorf("%s: logged %q, want a line: %v", test.name, logged.String(), test.want)
		}
	}
}

// TestHold: what comes is told, silence is broken by heartbeats, a table that
// cannot be reached is asked again, and the hold ends in time.
func TestHold(t *testing.T) {
	failure := errors.New("x")
	tests := []struct {
		name  string
		looks []error // what looking comes to, the last one again and again
		news  int     // the look that writes something
		want  error
		took  time.Duration
		out   string
	}{
		{"silence", []error{nil}, 0, nil, 7 * time.Second, ": beat\n\n: beat\n\n"},
		{"news", []error{nil}, 2, nil, 7 * time.Second, "data: news\n\n: beat\n\n"},
		{"no table", []error{parley.ErrUnavailable}, 0, nil, 7 * time.Second, ": beat\n\n: beat\n\n"},
		{"failure", []error{nil, failure}, 0, failure, 2 * time.Second, ""},
		{"enough", []error{nil, nil, errEnough}, 1, nil, 3 * time.Second, "data: news\n\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := httptest.NewRecorder()
				out := sse.Start(w)
				looks, began := 0, time.Now()
				err := api.Hold{For: 7*time.Second + 500*time.Millisecond, Poll: time.Second, Heartbeat: 3 * time.Second, Now: time.Now,
					Look: func(context.Context) (bool, bool, error) {
						err := test.looks[min(looks, len(test.looks)-1)]
						if looks++; looks == test.news {
							return true, false, out.Event(sse.Event{Data: "news"})
						}
						if err == errEnough {
							return false, true, nil
						}
						return false, false, err
					}}.Wait(t.Context(), out)
				if !errors.Is(err, test.want) || time.Since(began).Truncate(time.Second) != test.took || w.Body.String() != test.out {
					t.Errorf("%v after %v, %q; want %v, %v, %q", err, time.Since(began), w.Body, test.want, test.took, test.out)
				}
			})
		})
	}
}

var errEnough = errors.New("enough")

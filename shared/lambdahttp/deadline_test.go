package lambdahttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"parley/shared/lambdahttp"
)

// TestDeadline: a handler that works until its context ends has always time
// left to say so.
func TestDeadline(t *testing.T) {
	tests := []struct {
		name, event  string
		timeout      time.Duration // of the function; 0: none
		margin       time.Duration
		handler, end time.Duration // when the handler's context ends, and when an answer is given up
	}{
		{"stream", "url_get", 120 * time.Second, 0, 118 * time.Second, 0},
		{"stream, own margin", "url_get", 120 * time.Second, 5 * time.Second, 115 * time.Second, 0},
		{"stream, margin too long", "url_get", 3 * time.Second, 5 * time.Second, 1500 * time.Millisecond, 0},
		{"whole, bound by the API", "api_get", 120 * time.Second, 0, 27 * time.Second, 28 * time.Second},
		{"whole, without a deadline", "api_get", 0, 0, 27 * time.Second, 28 * time.Second},
		{"whole, bound by the function", "api_get", 10 * time.Second, 0, 8 * time.Second, 9 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				ctx, cancel := invocation(t, test.timeout)
				defer cancel()
				cfg := lambdahttp.Config{Margin: test.margin}
				a, err := invoke(ctx, t, cfg, test.event, func(w http.ResponseWriter, r *http.Request) {
					io.WriteString(w, "event: text\n\n")
					<-r.Context().Done()
					if got := time.Since(start); got != test.handler {
						t.Errorf("the handler's context ended after %v, want %v", got, test.handler)
					}
					io.WriteString(w, "event: end\n\n")
				})
				if err != nil || a.status != http.StatusOK || a.body != "event: text\n\nevent: end\n\n" {
					t.Errorf("answer = %+v, %v; want all that was written", a, err)
				}
				if test.end == 0 {
					return
				}

				start = time.Now()
				ctx, cancel = invocation(t, test.timeout)
				defer cancel()
				refused := make(chan error, 1)
				a, err = invoke(ctx, t, cfg, test.event, func(w http.ResponseWriter, r *http.Request) {
					io.WriteString(w, "event: text\n\n")
					time.Sleep(100 * time.Second) // heeds nothing
					_, err := io.WriteString(w, "event: end\n\n")
					refused <- err
				})
				if got := time.Since(start); err != nil || a.status != http.StatusGatewayTimeout || a.code() != "timeout" || got != test.end {
					t.Errorf("answer = %+v, %v after %v; want a timeout problem after %v", a, err, got, test.end)
				}
				if err := <-refused; !errors.Is(err, io.ErrClosedPipe) {
					t.Errorf("late write = %v, want %v", err, io.ErrClosedPipe)
				}
			})
		})
	}
}

func invocation(t *testing.T, timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout == 0 {
		return t.Context(), func() {}
	}
	return context.WithTimeout(t.Context(), timeout)
}

// TestSilentHandler: one that never writes and heeds nothing is given up too.
func TestSilentHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done := make(chan struct{})
		a, err := invoke(t.Context(), t, lambdahttp.Config{}, "api_get", func(http.ResponseWriter, *http.Request) {
			time.Sleep(time.Minute)
			close(done)
		})
		if err != nil || a.code() != "timeout" {
			t.Errorf("answer = %+v, %v; want a timeout problem", a, err)
		}
		<-done
	})
}

func TestContextEndsWithHandler(t *testing.T) {
	for _, event := range hosts {
		var ctx context.Context
		_, err := invoke(t.Context(), t, lambdahttp.Config{}, event, func(_ http.ResponseWriter, r *http.Request) { ctx = r.Context() })
		if err != nil || ctx.Err() != context.Canceled {
			t.Errorf("%s: context ended with %v, %v; want %v", event, ctx.Err(), err, context.Canceled)
		}
	}
}

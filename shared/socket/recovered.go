package socket

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
)

// Recovered returns a handler that does not break: where h panics, or answers with
// a longer frame than may be sent, it logs that and answers what broken returns for
// the event, in the dialect's own words. Where broken is nil or breaks as well, a
// connection is refused with 500, and a message is not answered.
func Recovered(h Handler, broken func(Event) Answer, log *slog.Logger) Handler {
	r := recovered{h, broken, log}
	return r.handle
}

type recovered struct {
	handler Handler
	broken  func(Event) Answer
	log     *slog.Logger
}

func (r recovered) handle(ctx context.Context, e Event) Answer {
	answer, ok := r.try(ctx, e, func() Answer { return r.handler(ctx, e) })
	if !ok && r.broken != nil {
		answer, ok = r.try(ctx, e, func() Answer { return r.broken(e) })
	}
	if !ok {
		return Answer{Status: http.StatusInternalServerError}
	}
	return answer
}

// try returns the answer of f if it can be sent.
func (r recovered) try(ctx context.Context, e Event, f func() Answer) (answer Answer, ok bool) {
	defer func() {
		if v := recover(); v != nil {
			ok = false
			r.log.ErrorContext(ctx, "socket handler panicked", "api", e.API, "event", string(e.Kind),
				"panic", panicText(v), "stack", string(debug.Stack()))
		}
	}()
	answer = f()
	if err := CheckFrame(answer.Frame); err != nil {
		r.log.ErrorContext(ctx, "socket handler's answer", "api", e.API, "event", string(e.Kind), "error", err)
		return answer, false
	}
	return answer, true
}

// panicText describes a panic without values that it may quote: only the
// runtime's own texts are known to be free of content.
func panicText(v any) string {
	if err, ok := v.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", v)
}

// Package handler does what the frames that it gets say, for tests of what stands in
// front of a socket handler.
package handler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"parley/shared/socket"
)

// Mirror handles events. It posts by Poster, and asks Gate, a base address, before it
// goes on.
type Mirror struct {
	Poster socket.Poster
	Gate   string
	// Die is what a frame does that asks for the function's end.
	Die func()
}

// Handler returns what handles events, and answers for what breaks in words of its own.
func (m Mirror) Handler() socket.Handler {
	return socket.Recovered(m.handle, func(e socket.Event) socket.Answer {
		return socket.Answer{Status: http.StatusTeapot, Frame: []byte("broken " + string(e.Kind))}
	}, slog.New(slog.DiscardHandler))
}

func (m Mirror) handle(ctx context.Context, e socket.Event) socket.Answer {
	switch e.Kind {
	case socket.Connect:
		return m.connect(ctx, e)
	case socket.Disconnect:
		m.ask(ctx, "left", e.ID, strconv.Itoa(e.Code))
		return socket.Answer{}
	}
	verb, rest, _ := strings.Cut(string(e.Frame), " ")
	return socket.Answer{Frame: []byte(m.do(ctx, e, verb, rest))}
}

func (m Mirror) connect(ctx context.Context, e socket.Event) socket.Answer {
	if e.Query.Has("tell") {
		m.ask(ctx, "connect", e.ID, fmt.Sprintf("%s %s %s %s %s", e.Query["tell"], e.Header["X-Tell"], e.Header.Get("Authorization"), e.Address,
			said(m.Poster.Post(ctx, e.Ref, []byte("too early")))))
	}
	if e.Query.Has("panic") {
		panic("asked for")
	}
	status, _ := strconv.Atoi(e.Query.Get("status"))
	return socket.Answer{Status: status, Frame: []byte("never seen")}
}

func (m Mirror) do(ctx context.Context, e socket.Event, verb, rest string) string {
	switch verb {
	case "echo":
		return rest
	case "long":
		n, _ := strconv.Atoi(rest)
		return strings.Repeat("x", n)
	case "wait":
		m.ask(ctx, "wait", rest)
		return "waited " + rest
	case "post":
		return "posted: " + said(m.Poster.Post(ctx, e.Ref, []byte(rest)))
	case "close":
		return said(m.Poster.Close(ctx, e.Ref))
	case "active":
		at, err := m.Poster.Active(ctx, e.Ref)
		return fmt.Sprint(!at.Before(e.Connected.Truncate(time.Millisecond)), " ", said(err))
	case "panic":
		panic("asked for")
	case "die":
		m.Die()
	}
	return ""
}

// said names an error of the port.
func said(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, socket.ErrGone):
		return "gone"
	case errors.Is(err, socket.ErrBusy):
		return "busy"
	case errors.Is(err, socket.ErrTooLarge):
		return "too large"
	}
	return "unknown"
}

func (m Mirror) ask(ctx context.Context, words ...string) {
	for i, w := range words {
		words[i] = url.PathEscape(w)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, m.Gate+"/"+strings.Join(words, "/"), nil)
	if err != nil {
		panic(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return // the test has ended
	}
	answer.Body.Close()
}

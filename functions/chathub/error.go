package chathub

import (
	"context"
	"errors"
	"net/http"

	"parley/shared/live"
	"parley/shared/parley"
	"parley/shared/signalr"
	"parley/shared/socket"
)

// The codes of errors that clients of the protocol know.
const (
	codeInvalid         = "invalid_request"
	codeTooLarge        = "message_too_large"
	codeLimited         = "rate_limited"
	codeEnded           = "session_ended"
	codeUnknownMethod   = "unknown_method"
	codeSessionNotFound = "session_not_found"
	codeInvalidMetadata = "invalid_metadata"
	codeInternal        = "internal_error"
)

// texts are the sentences of what a client is told besides an answer.
var texts = map[string]string{
	codeSessionNotFound: "there is no such session to go on with; this is a new one",
	codeInvalidMetadata: "metadata is not a JSON object of at most 2 KB, and was left out",
	codeInternal:        "something went wrong on our side; please try again",
}

// known are the protocol's codes for ours, where there is one.
var known = map[string]string{
	"invalid_field":  codeInvalid,
	"too_large":      codeTooLarge,
	"rate_limited":   codeLimited,
	"budget_spent":   codeLimited,
	"queue_full":     codeLimited,
	"calls_limit":    codeLimited,
	"connects_limit": codeLimited,
	"session_closed": codeEnded,
	"not_found":      codeEnded, // it was erased
	"blocked":        codeEnded,
	"token_revoked":  codeEnded,
	"unavailable":    codeInternal,
	"internal":       codeInternal,
}

// told returns a code and a sentence as a client is told them.
func told(code, text string) (string, string) {
	if c, ok := known[code]; ok {
		code = c
	}
	if code == codeInternal {
		text = texts[codeInternal]
	}
	return code, text
}

// explain joins a code and a sentence as the protocol wants it.
func explain(code, text string) string { return code + ": " + text }

// failure returns what a client is told of an error. hidden says that this is not the
// error itself, which has to be logged.
func failure(err error) (code, text string, hidden bool) {
	var e *parley.Error
	if errors.Is(err, parley.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || !errors.As(err, &e) {
		return codeInternal, texts[codeInternal], true
	}
	code, text = told(e.Code, e.Text)
	return code, text, false
}

// shuts reports whether whoever gets an error is no longer welcome: then the
// connection ends.
func shuts(err error) bool {
	code := parley.Code(err)
	return code == "blocked" || code == "token_revoked"
}

// raise is the event that tells of an error which no answer tells.
func raise(code, text string) []byte { return live.ChatHub{}.Error(code, text) }

// broken is the answer where the hub itself is broken: records like any others, for
// what is none ends the connection. Whoever waits for a call is told.
func broken(e socket.Event) socket.Answer {
	if e.Kind != socket.Message {
		return socket.Answer{Status: http.StatusInternalServerError}
	}
	text := texts[codeInternal]
	frame := raise(codeInternal, text)
	records, _ := signalr.Read(e.Frame) // of what cannot be read nobody waits for anything
	for _, r := range records {
		if r.ID != "" {
			frame = append(frame, signalr.Fail(r.ID, explain(codeInternal, text))...)
		}
	}
	return socket.Answer{Frame: frame}
}

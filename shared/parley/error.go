package parley

import (
	"errors"
	"fmt"
	"time"

	"parley/shared/table"
)

// Kinds of error. Every error that an operation returns for a reason the
// caller can act on wraps one of them; anything else is internal.
var (
	ErrInvalid  = errors.New("invalid")   // the input is malformed or out of range
	ErrNotFound = errors.New("not found") // unknown or foreign
	ErrConflict = errors.New("conflict")  // at odds with what is stored
	ErrDenied   = errors.New("denied")    // this caller may not
	ErrLimit    = errors.New("limit")     // too much or too often
	// ErrUnavailable means that a dependency failed; the same call may succeed later.
	ErrUnavailable = errors.New("unavailable")
)

// Error is an error with a code that programs can rely on.
type Error struct {
	// Kind is one of the kinds above.
	Kind error
	// Code is stable, lower case, words joined by "_".
	Code string
	// Text is a sentence for people, without the caller's own content in it.
	Text string
	// Field names the input at fault, or is "".
	Field string
	// RetryAfter is when the call may be made again; zero if unknown.
	RetryAfter time.Duration
	// Session and Run name what stands in the way, where that is the caller's.
	Session SessionID
	Run     RunID
}

func (e *Error) Error() string { return e.Code + ": " + e.Text }

// Unwrap returns the kind.
func (e *Error) Unwrap() error { return e.Kind }

// Code returns the code of an error, or "" if it has none.
func Code(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

func invalid(field, text string, args ...any) error {
	return &Error{Kind: ErrInvalid, Code: "invalid_field", Field: field, Text: fmt.Sprintf(text, args...)}
}

func tooLarge(field string, max int) error {
	return &Error{Kind: ErrInvalid, Code: "too_large", Field: field,
		Text: fmt.Sprintf("%s is longer than %d bytes", field, max)}
}

func notFound(what string) error {
	return &Error{Kind: ErrNotFound, Code: "not_found", Text: what + " not found"}
}

func conflict(code, text string) error {
	return &Error{Kind: ErrConflict, Code: code, Text: text}
}

func denied(code, text string) error {
	return &Error{Kind: ErrDenied, Code: code, Text: text}
}

// unavailable turns a failure of the table or the bucket into ErrUnavailable
// and leaves every other error as it is.
func unavailable(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, table.ErrUnavailable), errors.Is(err, table.ErrNotDone), errors.Is(err, table.ErrUnknown):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// errNoName is of an index entry that this package did not write. What it says
// is left out: errors reach the log, and ids open sessions.
var errNoName = errors.New("an index entry names nothing")

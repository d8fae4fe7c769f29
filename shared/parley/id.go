package parley

import (
	"strings"
	"unicode/utf8"
)

// Ids. Those made outside are opaque; see CheckID.
type (
	ProjectID  string
	AgentID    string
	OperatorID string
	VisitorID  string
	ContactID  string
	SessionID  string
	// EntryID is unique within its project. A client may choose it for its own
	// messages; see SendRequest.
	EntryID string
	// RunID is the client id of the message, or of the retry, that the run answers.
	RunID  string
	FileID string
	// Seq is the place of an entry in its session: 1, 2, 3 … without gaps.
	Seq int64
)

// MaxIDBytes is the longest id from outside, in bytes: escaped threefold it
// still fits twice into DynamoDB's sort key of 1024 bytes.
const MaxIDBytes = 128

// CheckID returns an invalid_field error unless id is 1 to MaxIDBytes bytes of
// valid UTF-8 without control characters.
func CheckID(field, id string) error {
	switch {
	case id == "":
		return invalid(field, "%s is empty", field)
	case len(id) > MaxIDBytes:
		return tooLarge(field, MaxIDBytes)
	case !utf8.ValidString(id) || strings.ContainsFunc(id, func(r rune) bool { return r < 0x20 || r == 0x7f }):
		return invalid(field, "%s holds control characters or is not UTF-8", field)
	}
	return nil
}

// checkAnyID is CheckID of an id that may be missing.
func checkAnyID(field, id string) error {
	if id == "" {
		return nil
	}
	return CheckID(field, id)
}

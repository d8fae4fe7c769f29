package parley

import (
	"encoding/base64"
	"encoding/json"
)

// Limits of a page, in sessions or entries. Our choices: a page of entries stays
// far below the platform's answer of 6 MB (AWS Lambda quota).
const (
	MaxPage     = 100
	DefaultPage = 20
)

// PageRequest asks for a page of a list. Limit is 1 to MaxPage; 0 means
// DefaultPage. Cursor is what the page before returned, or "".
type PageRequest struct {
	Limit  int
	Cursor string
	// Shown, of a page of entries, leaves out those of which it is false; nil leaves
	// out none. A page is as long as without it.
	Shown func(Entry) bool
}

// CursorBefore is the cursor of the page of entries that ends before one.
func CursorBefore(n Seq) string { return cursor(n) }

func (r *PageRequest) check() error {
	if r.Limit == 0 {
		r.Limit = DefaultPage
	}
	if r.Limit < 1 || r.Limit > MaxPage {
		return invalid("limit", "limit is 1 to %d", MaxPage)
	}
	return nil
}

// cursor writes a place in a list so that clients treat it as opaque.
func cursor(v any) string {
	b, _ := json.Marshal(v) // numbers and strings always encode
	return base64.RawURLEncoding.EncodeToString(b)
}

// pageOf cuts a list, which was read one longer than the page, to the page, and returns
// the cursor of the next one, "" at the end. at is where the list stands after an element.
func pageOf[T any](list []T, limit int, at func(T) any) (page []T, next string) {
	if len(list) <= limit {
		return list, ""
	}
	return list[:limit], cursor(at(list[limit-1]))
}

func uncursor(text string, v any) error {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		return errCursor()
	}
	return nil
}

func errCursor() error {
	return &Error{Kind: ErrInvalid, Code: "invalid_cursor", Field: "cursor", Text: "the cursor is not one of ours"}
}

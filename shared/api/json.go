package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"unicode/utf8"

	"parley/shared/parley"
)

// MaxBodyBytes is the longest body of a request. Our choice: room for the
// longest message, escaped, and all other fields.
const MaxBodyBytes = 128 << 10

// MaxBodyValues is how many values a body may have, with those in lists and objects
// and these themselves: an empty one takes two bytes to send, and many times as many
// to keep. Our choice: many times what a client has to say.
const MaxBodyValues = 10_000

// Decode reads the request's body, which must be declared as JSON, into v, a
// pointer to a struct. Unknown fields are ignored. The error is too_large,
// unsupported_media_type, invalid_json, or invalid_field for a field of the
// wrong type.
func Decode(r *http.Request, v any) error {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return &parley.Error{Kind: parley.ErrInvalid, Code: "unsupported_media_type", Text: "the body must be application/json"}
	}
	return DecodeAny(r, v)
}

// DecodeAny is Decode for a body of any declared type: navigator.sendBeacon can
// only send text/plain without a preflight.
func DecodeAny(r *http.Request, v any) error { return DecodeUpTo(r, MaxBodyBytes, v) }

// DecodeUpTo is DecodeAny with another maximum length, for a dialect that allows
// longer bodies.
func DecodeUpTo(r *http.Request, max int64, v any) error {
	body, err := readBody(r, max)
	if err != nil {
		return err
	}
	if !fewValues(body) {
		return &parley.Error{Kind: parley.ErrInvalid, Code: "too_large", Text: "the body has more than " + strconv.Itoa(MaxBodyValues) + " values"}
	}
	return unmarshal(body, v)
}

// DecodeLong is DecodeUpTo for a v that bounds by itself how many values it keeps.
func DecodeLong(r *http.Request, max int64, v any) error {
	body, err := readBody(r, max)
	if err != nil {
		return err
	}
	return unmarshal(body, v)
}

// fewValues reports whether a body has at most MaxBodyValues values. It counts what
// separates them in JSON, in anything else something that is as good.
func fewValues(body []byte) bool {
	values, quoted := 1, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case !quoted && (c == ',' || c == '[' || c == '{'):
			values++
		}
	}
	return values <= MaxBodyValues
}

// DecodeOptional is Decode for a body that may be absent, and then leaves v
// as it is.
func DecodeOptional(r *http.Request, v any) error {
	body, err := readBody(r, MaxBodyBytes)
	if err != nil || len(bytes.TrimSpace(body)) == 0 {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return Decode(r, v)
}

func readBody(r *http.Request, max int64) ([]byte, error) {
	var b bytes.Buffer
	if r.ContentLength > 0 && r.ContentLength <= max {
		b.Grow(int(r.ContentLength) + bytes.MinRead) // in one piece: what grows takes several times as much
	}
	_, err := b.ReadFrom(http.MaxBytesReader(nil, r.Body, max))
	if errors.As(err, new(*http.MaxBytesError)) {
		// If a server answers and closes while the client is still writing, the
		// client may never see the answer. So as much again is read and dropped.
		_, _ = io.CopyN(io.Discard, r.Body, max)
		return nil, &parley.Error{Kind: parley.ErrInvalid, Code: "too_large", Text: "the body is longer than " + strconv.FormatInt(max, 10) + " bytes"}
	}
	if err != nil {
		return nil, invalidJSON("the body ended early")
	}
	return b.Bytes(), nil
}

func unmarshal(body []byte, v any) error {
	if !utf8.Valid(body) {
		return invalidJSON("the body is not UTF-8")
	}
	err := json.Unmarshal(body, v)
	var mistyped *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &mistyped) && mistyped.Field != "":
		return &parley.Error{Kind: parley.ErrInvalid, Code: "invalid_field", Field: mistyped.Field,
			Text: mistyped.Field + " cannot be a " + mistyped.Value}
	case errors.As(err, &mistyped):
		return invalidJSON("the body is not an object")
	}
	return invalidJSON("the body cannot be parsed")
}

func invalidJSON(text string) error {
	return &parley.Error{Kind: parley.ErrInvalid, Code: "invalid_json", Text: text}
}

// Number returns a non-negative integer of the query, 0 if it is absent. The
// error is invalid_field.
func Number(r *http.Request, name string) (int64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, InvalidField(name, name+" is a whole number")
	}
	return n, nil
}

// InvalidField is the error of an input whose value is not allowed.
func InvalidField(name, text string) error {
	return &parley.Error{Kind: parley.ErrInvalid, Code: "invalid_field", Field: name, Text: text}
}

// Page reads the limit and the cursor of a list from the query.
func Page(r *http.Request) (parley.PageRequest, error) {
	limit, err := Number(r, "limit")
	if err == nil && r.URL.Query().Has("limit") && (limit < 1 || limit > parley.MaxPage) {
		err = InvalidField("limit", "limit is 1 to "+strconv.Itoa(parley.MaxPage))
	}
	return parley.PageRequest{Limit: int(limit), Cursor: r.URL.Query().Get("cursor")}, err
}

// JSON answers with v, and forbids caches to store it.
func JSON(w http.ResponseWriter, status int, v any) error {
	write(w, status, "application/json", v)
	return nil
}

func write(w http.ResponseWriter, status int, mediaType string, v any) {
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, Encode(v)) // an error means that the client has left
}

// Encode returns v, one of this package's or a function's wire types, as JSON.
func Encode(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("api: encode " + err.Error()) // wire types always encode
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

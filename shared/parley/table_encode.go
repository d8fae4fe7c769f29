package parley

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// encode writes what the table is to hold as JSON. It leaves "<", ">" and "&" as
// they are: json.Marshal makes six bytes of each, for text inside of HTML, and
// whoever sends many of them would have six times as much written.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// escapes is how many times as long as its bytes a text may become when it is
// encoded. Words stay far below; only control characters, which no keyboard has,
// become six times as long.
const escapes = 2

// exceeds reports whether a text is longer than max bytes, or so full of what has
// to be escaped that it would be stored as more than twice that.
func exceeds(text string, max int) bool {
	if len(text) > max {
		return true
	}
	return EncodedBytes(text) > escapes*max
}

// EncodedBytes is how many bytes a text has as a string in JSON, without its quotes,
// where "<", ">" and "&" stay as they are.
func EncodedBytes(text string) int {
	n := 0
	for _, r := range text {
		switch {
		case r == '"', r == '\\', r == '\n', r == '\r', r == '\t', r == '\b', r == '\f':
			n += 2
		case r < 0x20, r == '\u2028', r == '\u2029', r == utf8.RuneError:
			n += 6
		default:
			n += utf8.RuneLen(r)
		}
	}
	return n
}

// fit returns as much of a text as max takes by exceeds: what needs six bytes
// escaped is a space in it.
func fit(text string, max int) string {
	return cut(strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\r', r == '\t', r == '\b', r == '\f':
			return r
		case r < 0x20, r == '\u2028', r == '\u2029', r == utf8.RuneError:
			return ' '
		}
		return r
	}, text), max)
}

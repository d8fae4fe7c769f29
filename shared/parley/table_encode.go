package parley

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"parley/shared/table"
)

// record is the item of a key that holds a value as JSON, with other attributes beside
// it. what names the value in an error.
func record(k table.Key, what string, value any, beside table.Item) (table.Item, error) {
	data, err := encode(value)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", what, err)
	}
	item := k.With(beside)
	item["data"] = string(data)
	return item, nil
}

// decode reads the value of a record; of nil, which is no item, nothing.
func decode(item table.Item, what string, value any) error {
	if item == nil {
		return nil
	}
	if err := json.Unmarshal([]byte(item.String("data")), value); err != nil {
		return fmt.Errorf("decode %s: %w", what, err)
	}
	return nil
}

// setTime puts a time into an item, in milliseconds, unless it is zero.
func setTime(item table.Item, name string, at time.Time) {
	if !at.IsZero() {
		item[name] = at.UnixMilli()
	}
}

// timeAt returns a time of an item, zero where there is none.
func timeAt(item table.Item, name string) time.Time {
	if at := item.Int(name); at > 0 {
		return time.UnixMilli(at).UTC()
	}
	return time.Time{}
}

// decodeAll returns what from reads of each item.
func decodeAll[T any](items []table.Item, from func(table.Item) (T, error)) (all []T, err error) {
	all = make([]T, len(items))
	for i, item := range items {
		if all[i], err = from(item); err != nil {
			return nil, err
		}
	}
	return all, nil
}

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

// encodePlain is encode of strings, numbers and booleans, also inside of structs and
// maps: only a json.RawMessage or a float, of which there may be none in v, can fail
// to encode. If one does, that is a mistake in our code.
func encodePlain(v any) []byte {
	data, err := encode(v)
	if err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err))
	}
	return data
}

// sameJSON reports whether two values, which can be encoded, are the same in JSON.
func sameJSON(a, b any) bool {
	x, _ := encode(a)
	y, _ := encode(b)
	return bytes.Equal(x, y)
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

// checkLength returns a too_large error for a text that exceeds max bytes.
func checkLength(field, text string, max int) error {
	if exceeds(text, max) {
		return tooLarge(field, max)
	}
	return nil
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

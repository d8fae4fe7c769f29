package agent

import (
	"bytes"
	"strings"
)

// Control markers are how a model without tools says what is to happen: alone on
// the last line of its reply. A model with tools calls those of control.go, and
// markers mean nothing there.
const (
	markHandover = "[HANDOVER]"
	markGoodbye  = "[GOODBYE]"
	markResolved = "[RESOLVED]"
)

// markers are all markers, taken in upper or lower case, with what each means.
// Besides our own there are the spellings of Hissuno's prompts, which a project
// may have copied into its instructions.
var markers = map[string]func(*Result){
	markHandover:        proposeHandover,
	"[HUMAN_TAKEOVER]":  proposeHandover,
	markGoodbye:         func(r *Result) { r.Goodbye = true },
	"[SESSION_GOODBYE]": func(r *Result) { r.Goodbye = true },
	markResolved:        func(r *Result) { r.LikelyResolved = true },
}

func proposeHandover(r *Result) { r.Handover, r.Reason = true, handoverReason }

// Filter removes the white space at either end of a streamed text and, if it is
// to look for markers, the lines at its end that hold nothing but a marker each.
// A marker anywhere else is text like any other, since the reply may quote it.
//
// It holds back only what may still turn out to be one of these, and passes it
// on as soon as it cannot. The result does not depend on how the text is cut
// into deltas. A Filter is for one goroutine.
type Filter struct {
	emit    func(string) error
	markers bool
	begun   bool // something was passed on
	// held is white space and lines that are a marker each, as far as nothing else
	// has followed them; what they mean is in found.
	held  []byte
	found []func(*Result)
	// line says what the last line of held is so far; mark is where its marker
	// begins in held.
	line   lineState
	mark   int
	result Result
}

type lineState int

const (
	lineBlank  lineState = iota // white space from its beginning on
	lineBegins                  // then what may become a marker
	lineMarked                  // then a marker, and white space after it
	lineText                    // white space that follows text
)

// NewFilter returns a filter that passes text to emit, never "". With markers it
// looks for them.
func NewFilter(markers bool, emit func(string) error) *Filter {
	return &Filter{markers: markers, emit: emit}
}

// Write takes the next delta. It returns the error of emit.
func (f *Filter) Write(delta string) error {
	var out []byte
	for i := range len(delta) {
		out = f.take(out, delta[i])
	}
	return f.pass(out)
}

// take appends to out what is no longer held back after one more byte.
func (f *Filter) take(out []byte, c byte) []byte {
	if isSpace(c) {
		if f.line == lineBegins {
			out = f.release(out)
		}
		f.held = append(f.held, c)
		if c == '\n' {
			f.line = lineBlank
		}
		return out
	}
	if f.markers && f.line == lineBlank {
		f.line, f.mark = lineBegins, len(f.held)
	}
	f.held = append(f.held, c)
	if f.line != lineBegins {
		return f.release(out)
	}
	text := upper(f.held[f.mark:])
	if act, ok := markers[text]; ok {
		f.line, f.found = lineMarked, append(f.found, act)
	} else if !beginsMarker(text) {
		return f.release(out)
	}
	return out
}

// release moves what is held to out: it is text, the markers in it too.
func (f *Filter) release(out []byte) []byte {
	if !f.begun {
		f.held = bytes.TrimLeft(f.held, space)
		f.begun = true
	}
	out = append(out, f.held...)
	f.held, f.found, f.line = f.held[:0], nil, lineText
	return out
}

// Close ends the text. What is held back is removed with what it means, or
// passed on if its last line only began like a marker.
func (f *Filter) Close() error {
	if f.line == lineBegins {
		return f.pass(f.release(nil))
	}
	for _, act := range f.found {
		act(&f.result)
	}
	f.found = nil
	return nil
}

// Result is what the markers mean, once the text has ended.
func (f *Filter) Result() Result { return f.result }

func (f *Filter) pass(out []byte) error {
	if len(out) == 0 {
		return nil
	}
	return f.emit(string(out))
}

const space = " \t\r\n"

func isSpace(c byte) bool { return strings.IndexByte(space, c) >= 0 }

// upper returns text with its ASCII letters in upper case, and all else as it is.
func upper(text []byte) string {
	text = bytes.Clone(text)
	for i, c := range text {
		if 'a' <= c && c <= 'z' {
			text[i] = c - 'a' + 'A'
		}
	}
	return string(text)
}

// withoutMarkers writes every marker of a text in parentheses instead of brackets.
func withoutMarkers(text string) string {
	large := upper([]byte(text))
	out := []byte(text)
	for marker := range markers {
		for from := 0; ; {
			at := strings.Index(large[from:], marker)
			if at < 0 {
				break
			}
			from += at + len(marker)
			out[from-len(marker)], out[from-1] = '(', ')'
		}
	}
	return string(out)
}

func beginsMarker(text string) bool {
	for marker := range markers {
		if strings.HasPrefix(marker, text) {
			return true
		}
	}
	return false
}

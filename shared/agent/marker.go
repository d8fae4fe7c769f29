package agent

import (
	"bytes"
	"strings"
)

// The control markers that the prompt asks a model to write. No visitor sees
// them.
const (
	markHandover  = "[HANDOVER]"
	markGoodbye   = "[GOODBYE]"
	markResolved  = "[RESOLVED]"
	markColleague = "[COLLEAGUE]" // before a human's turn in a prompt; a model may imitate it
)

// markers are all markers that are cut out, in upper or lower case, with what
// each means. Besides our own there are the spellings of Hissuno's prompts,
// which a project may have copied into its instructions.
var markers = map[string]func(*Result){
	markHandover:        proposeHandover,
	"[HUMAN_TAKEOVER]":  proposeHandover,
	markGoodbye:         func(r *Result) { r.Goodbye = true },
	"[SESSION_GOODBYE]": func(r *Result) { r.Goodbye = true },
	markResolved:        func(r *Result) { r.LikelyResolved = true },
	markColleague:       func(*Result) {},
}

func proposeHandover(r *Result) {
	r.Handover = true
	r.Reason = "The AI agent asked for a human."
}

// maxMarker is the length of the longest marker, in bytes.
const maxMarker = len("[SESSION_GOODBYE]")

// Filter removes control markers from streamed text, and the white space before
// a marker and at either end of the text.
//
// It holds back only what may still turn out to be one of these, and passes it
// on as soon as it cannot. The result does not depend on how the text is cut
// into deltas. A Filter is for one goroutine.
type Filter struct {
	emit   func(string) error
	held   []byte // held back: white space, then what may begin a marker
	tail   []byte // the last bytes passed on, at most maxMarker - 1
	result Result
}

// NewFilter returns a filter that passes text to emit, never "".
func NewFilter(emit func(string) error) *Filter { return &Filter{emit: emit} }

// Write takes the next delta. It returns the error of emit.
func (f *Filter) Write(delta string) error {
	var out []byte
	for i := range len(delta) {
		onlySpace := len(f.held) == 0 || isSpace(f.held[len(f.held)-1])
		f.held = append(f.held, delta[i])
		switch {
		case onlySpace && isSpace(delta[i]):
		case delta[i] == ']' && f.cut():
		default:
			out = f.release(out, f.undecided())
		}
	}
	return f.pass(out)
}

// Close ends the text: what is held back is no marker then, and is passed on.
func (f *Filter) Close() error {
	return f.pass(f.release(nil, len(bytes.TrimRight(f.held, space))))
}

// Result is what the markers seen so far mean.
func (f *Filter) Result() Result { return f.result }

const space = " \t\r\n"

func isSpace(c byte) bool { return strings.IndexByte(space, c) >= 0 }

// cut removes a marker at the end of the held text, and the white space before
// it. If the marker began in text already passed on (possible when one marker
// stood inside another), only its held part can be removed; what the reader sees
// of it stays incomplete.
func (f *Filter) cut() bool {
	text := f.lastBracket()
	act, ok := markers[text]
	if !ok {
		return false
	}
	act(&f.result)
	f.held = bytes.TrimRight(f.held[:max(0, len(f.held)-len(text))], space)
	return true
}

// undecided returns the position in the held text from which on it may still be
// cut.
func (f *Filter) undecided() int {
	start := len(f.held)
	if text := f.lastBracket(); text != "" && beginsMarker(text) {
		start = max(0, start-len(text))
	}
	return len(bytes.TrimRight(f.held[:start], space))
}

// lastBracket returns the text from the last '[' on, in upper case, or "" if no
// '[' is within the length of a marker from the end. It also looks at text
// passed on before, as the reader would see both joined.
func (f *Filter) lastBracket() string {
	text := f.held[max(0, len(f.held)-maxMarker):]
	text = append(f.tail[:len(f.tail):len(f.tail)], text...)
	open := bytes.LastIndexByte(text, '[')
	if open < 0 {
		return ""
	}
	text = bytes.Clone(text[open:])
	for i, c := range text {
		if 'a' <= c && c <= 'z' {
			text[i] = c - 'a' + 'A'
		}
	}
	return string(text)
}

// release moves the first n held bytes to out.
func (f *Filter) release(out []byte, n int) []byte {
	freed := f.held[:n]
	if len(f.tail) == 0 {
		freed = bytes.TrimLeft(freed, space)
	}
	out = append(out, freed...)
	f.tail = append(f.tail, freed...)
	f.tail = f.tail[max(0, len(f.tail)-maxMarker+1):]
	f.held = append(f.held[:0], f.held[n:]...)
	return out
}

func (f *Filter) pass(out []byte) error {
	if len(out) == 0 {
		return nil
	}
	return f.emit(string(out))
}

func beginsMarker(text string) bool {
	for marker := range markers {
		if strings.HasPrefix(marker, text) {
			return true
		}
	}
	return false
}

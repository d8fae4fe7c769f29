package agent

import (
	"bytes"
	"strings"
)

// The control markers that a model is told to write. They reach no visitor.
const (
	markHandover  = "[HANDOVER]"
	markGoodbye   = "[GOODBYE]"
	markResolved  = "[RESOLVED]"
	markColleague = "[COLLEAGUE]" // before a human's turn in a prompt; a model may imitate it
)

// markers are all that are cut out, in any mix of upper and lower case, and
// what each means. Besides ours there are the spellings of Hissuno's prompts,
// which a project may bring along in its instructions.
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

// Filter passes text on without control markers and without the white space
// that stands before one, at the beginning or at the end of the text. It holds
// back no more than may still belong to one of these, and lets it go as soon as
// it cannot. What it passes on does not depend on how the text is cut into deltas.
// A Filter is for one goroutine.
type Filter struct {
	emit   func(string) error
	held   []byte // not passed on: white space, then what may begin a marker
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

// Close ends the text: what is held and turned out to be no marker is passed on.
func (f *Filter) Close() error {
	return f.pass(f.release(nil, len(bytes.TrimRight(f.held, space))))
}

// Result is what the markers seen so far mean.
func (f *Filter) Result() Result { return f.result }

const space = " \t\r\n"

func isSpace(c byte) bool { return strings.IndexByte(space, c) >= 0 }

// cut removes a marker that ends the held text and the white space before it.
// A marker may have begun in text that was passed on before another marker
// inside of it was cut; then what is held of it goes, so that it stays incomplete.
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

// undecided returns where in the held text that begins which may still be cut.
func (f *Filter) undecided() int {
	start := len(f.held)
	if text := f.lastBracket(); text != "" && beginsMarker(text) {
		start = max(0, start-len(text))
	}
	return len(bytes.TrimRight(f.held[:start], space))
}

// lastBracket returns what follows the last '[', itself included, in upper
// case, as far as a marker is long; "" if there is none so near to the end. It
// sees the text as a reader would, were all that is held passed on.
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

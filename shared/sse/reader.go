package sse

import (
	"bufio"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
)

// MaxLineBytes is the longest line that a Reader accepts. Our choice: more than
// the longest entry of a session as escaped JSON.
const MaxLineBytes = 1 << 20

// ErrLine is the error of a line longer than MaxLineBytes.
var ErrLine = errors.New("sse: line too long")

// Reader reads the events of one stream. It is for one goroutine.
type Reader struct {
	r        *bufio.Reader
	begun    bool // the byte order mark has been looked for
	afterCR  bool // an LF that comes next belongs to the line before
	lastID   string
	retry    time.Duration
	comments int
}

// NewReader returns a reader of the stream.
func NewReader(r io.Reader) *Reader { return &Reader{r: bufio.NewReader(r)} }

// LastID returns the newest event id, which a reconnecting client sends as
// Last-Event-ID.
func (r *Reader) LastID() string { return r.lastID }

// Retry returns the newest reconnection time that the stream asked for, 0 if
// none.
func (r *Reader) Retry() time.Duration { return r.retry }

// Comments returns how many comments were read.
func (r *Reader) Comments() int { return r.comments }

// Next returns the next event. Its ID is the last one in the stream so far, also
// from earlier events, and its Name is "message" if the stream gives none. It
// returns io.EOF at the end of the stream, and drops an incomplete event there.
func (r *Reader) Next() (Event, error) {
	var name string
	var data []string
	for {
		line, err := r.line()
		if err != nil {
			return Event{}, err
		}
		if line == "" {
			if data == nil {
				name = ""
				continue
			}
			if name == "" {
				name = "message"
			}
			return Event{ID: r.lastID, Name: name, Data: strings.Join(data, "\n")}, nil
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "":
			r.comments++
		case "event":
			name = value
		case "data":
			data = append(data, value)
		case "id":
			if !strings.Contains(value, "\x00") {
				r.lastID = value
			}
		case "retry":
			if ms, err := strconv.ParseUint(value, 10, 31); err == nil {
				r.retry = time.Duration(ms) * time.Millisecond
			}
		}
	}
}

// line returns the next line without its line end, which may be CR, LF or both.
func (r *Reader) line() (string, error) {
	if !r.begun {
		r.begun = true
		if mark, err := r.r.Peek(3); err == nil && string(mark) == "\ufeff" {
			_, _ = r.r.Discard(3) // they are in the buffer
		}
	}
	var b []byte
	for {
		c, err := r.r.ReadByte()
		if err != nil {
			return "", err
		}
		after := r.afterCR
		r.afterCR = c == '\r'
		switch {
		case c == '\n' && after:
		case c == '\n' || c == '\r':
			return string(b), nil
		case len(b) == MaxLineBytes:
			return "", ErrLine
		default:
			b = append(b, c)
		}
	}
}

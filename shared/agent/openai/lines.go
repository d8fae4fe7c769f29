package openai

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxLine is the longest line of a stream, in bytes: a chunk of a few tokens has
// some hundred, and a server that sends the whole reply at once stays below.
const maxLine = 1 << 20

var errLongLine = errors.New("line over 1 MiB in the stream")

// dataLines reads an event stream and leaves of it the data lines, each followed
// by an empty one. Comments, which servers send as heartbeats, and other fields
// would end up in the error texts of go-openai's reader, which then understands
// no error, and each counts against a limit there.
type dataLines struct {
	body io.ReadCloser
	from *bufio.Reader
	line []byte // what is left to give out
	err  error  // what comes after it
}

func newDataLines(body io.ReadCloser) *dataLines {
	return &dataLines{body: body, from: bufio.NewReader(body)}
}

func (d *dataLines) Close() error { return d.body.Close() }

func (d *dataLines) Read(p []byte) (int, error) {
	for len(d.line) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		d.line, d.err = d.next()
	}
	n := copy(p, d.line)
	d.line = d.line[n:]
	return n, nil
}

// next returns the next data line, or nothing for any other line. A last line
// without an end is not given out: it may be cut.
func (d *dataLines) next() ([]byte, error) {
	var line []byte
	for {
		part, err := d.from.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil && bytes.HasPrefix(line, []byte("data:")):
			return append(line, '\n'), nil
		case err == nil:
			return nil, nil
		case err != bufio.ErrBufferFull:
			return nil, err
		case len(line) > maxLine:
			return nil, errLongLine
		}
	}
}

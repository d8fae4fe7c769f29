package openai

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxLine is the longest line of a stream, in bytes. A chunk of a few tokens has
// some hundred; a server that sends the whole reply in one chunk stays below it
// too.
const maxLine = 1 << 20

var errLongLine = errors.New("line over 1 MiB in the stream")

// dataLines passes on only the data lines of an event stream, each followed by
// an empty line. go-openai's reader counts other lines, such as comments that
// servers send as heartbeats, against a limit, and mixes them into error texts
// that it then cannot parse.
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

// next returns the next line if it is a data line, else nothing. A last line
// without a line end is dropped, for it may be incomplete.
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

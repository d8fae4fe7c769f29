package sse_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/shared/sse"
)

func TestWriter(t *testing.T) {
	w := httptest.NewRecorder()
	out := sse.Start(w)
	for _, err := range []error{
		out.Retry(1500 * time.Millisecond),
		out.Event(sse.Event{ID: "r%2F1/0", Name: "text", Data: `{"delta":"Hé"}`}),
		out.Comment("beat"),
		out.Event(sse.Event{Data: "one\ntwo\r\nthree\rfour\n"}),
		out.Event(sse.Event{ID: "2"}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	const want = "retry: 1500\n\nid: r%2F1/0\nevent: text\ndata: {\"delta\":\"Hé\"}\n\n: beat\n\n" +
		"data: one\ndata: two\ndata: three\ndata: four\ndata: \n\nid: 2\ndata: \n\n"
	if got := w.Body.String(); got != want {
		t.Errorf("stream = %q, want %q", got, want)
	}
	for name, want := range map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if !w.Flushed {
		t.Error("nothing was flushed")
	}
}

func TestWriterRefuses(t *testing.T) {
	w := httptest.NewRecorder()
	out := sse.Start(w)
	for _, err := range []error{
		out.Event(sse.Event{ID: "1\n2"}), out.Event(sse.Event{ID: "1\x002"}), out.Event(sse.Event{ID: "1\r"}),
		out.Event(sse.Event{Name: "a\nb"}), out.Event(sse.Event{Name: "a\rb"}), out.Comment("a\nb"),
	} {
		if !errors.Is(err, sse.ErrUnwritable) {
			t.Errorf("error = %v, want %v", err, sse.ErrUnwritable)
		}
	}
	if w.Body.Len() > 0 {
		t.Errorf("%q was written", w.Body)
	}
}

// broken is a response whose reader has left, or that cannot flush.
type broken struct {
	*httptest.ResponseRecorder
	write, flush error
}

func (b broken) Write(p []byte) (int, error) {
	if b.write != nil {
		return 0, b.write
	}
	return b.ResponseRecorder.Write(p)
}

func (b broken) FlushError() error { return b.flush }

func TestWriterErrors(t *testing.T) {
	gone := errors.New("gone")
	tests := []struct {
		name               string
		write, flush, want error
	}{
		{"write fails", gone, nil, gone},
		{"flush fails", nil, gone, gone},
		{"no flush", nil, http.ErrNotSupported, nil},
	}
	for _, test := range tests {
		w := broken{httptest.NewRecorder(), test.write, test.flush}
		if err := sse.Start(w).Event(sse.Event{Data: "x"}); !errors.Is(err, test.want) || test.want == nil && err != nil {
			t.Errorf("%s: Event = %v, want %v", test.name, err, test.want)
		}
	}
}

func TestReader(t *testing.T) {
	message := func(id, data string) sse.Event { return sse.Event{ID: id, Name: "message", Data: data} }
	tests := []struct {
		name, stream string
		want         []sse.Event
	}{
		{"the standard's first", "data: This is the first message.\n\ndata: This is the second message, it\ndata: has two lines.\n\n",
			[]sse.Event{message("", "This is the first message."), message("", "This is the second message, it\nhas two lines.")}},
		{"the standard's stocks", "data: YHOO\ndata: +2\ndata: 10\n\n", []sse.Event{message("", "YHOO\n+2\n10")}},
		{"the standard's four blocks", ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
			[]sse.Event{message("1", "first event"), message("", "second event"), message("", " third event")}},
		{"empty data, and a cut event", "data\n\ndata\ndata\n\ndata:", []sse.Event{message("", ""), message("", "\n")}},
		{"no data, no event", "event: x\nid: 7\n\ndata: y\n\n", []sse.Event{message("7", "y")}},
		{"line ends mixed", "event: a\rdata: 1\r\n\r\ndata: 2\r\rdata: 3\n\n",
			[]sse.Event{{Name: "a", Data: "1"}, message("", "2"), message("", "3")}},
		{"byte order mark", "\ufeffdata: x\n\n", []sse.Event{message("", "x")}},
		{"id with NUL is no id", "id: 1\ndata: x\n\nid: 2\x00\ndata: y\n\n", []sse.Event{message("1", "x"), message("1", "y")}},
		{"unknown fields", "foo: bar\nretry: soon\ndata: x\n\n", []sse.Event{message("", "x")}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := readAll(t, test.stream); !slices.Equal(got, test.want) {
				t.Errorf("events = %q, want %q", got, test.want)
			}
		})
	}
}

func readAll(t *testing.T, stream string) []sse.Event {
	t.Helper()
	r := sse.NewReader(strings.NewReader(stream))
	var all []sse.Event
	for {
		e, err := r.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
}

func TestReaderState(t *testing.T) {
	r := sse.NewReader(strings.NewReader("retry: 250\n: one\n:two\nid: 9\ndata: x\n\n"))
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if r.LastID() != "9" || r.Retry() != 250*time.Millisecond || r.Comments() != 2 {
		t.Errorf("id %q, retry %v, %d comments; want 9, 250ms, 2", r.LastID(), r.Retry(), r.Comments())
	}
	long := sse.NewReader(strings.NewReader("data: " + strings.Repeat("x", sse.MaxLineBytes)))
	if _, err := long.Next(); !errors.Is(err, sse.ErrLine) {
		t.Errorf("Next of a long line = %v, want %v", err, sse.ErrLine)
	}
}

// FuzzRoundTrip: what the writer writes the reader reads.
func FuzzRoundTrip(f *testing.F) {
	f.Add("1", "text", "a\nb", "2", "", "c\r\nd\re")
	f.Add("", "", "", "", "end", ": not a comment")
	f.Add("r/1", "x", " leading", "", "y", "\ufeff")
	f.Fuzz(func(t *testing.T, id1, name1, data1, id2, name2, data2 string) {
		w := httptest.NewRecorder()
		out := sse.Start(w)
		var want []sse.Event
		last := ""
		for _, e := range []sse.Event{{ID: id1, Name: name1, Data: data1}, {ID: id2, Name: name2, Data: data2}} {
			if err := out.Comment("beat"); err != nil {
				t.Fatal(err)
			}
			if err := out.Event(e); err != nil {
				continue
			}
			if e.ID != "" {
				last = e.ID
			}
			if e.Name == "" {
				e.Name = "message"
			}
			e.ID, e.Data = last, strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(e.Data)
			want = append(want, e)
		}
		if got := readAll(t, w.Body.String()); !slices.Equal(got, want) {
			t.Errorf("read %q, want %q", got, want)
		}
	})
}

// FuzzReader: any bytes give events or the end, and events that a writer would
// write again.
func FuzzReader(f *testing.F) {
	f.Add("data: x\n\nid: 1\nevent: y\ndata\n\n")
	f.Add("\ufeff:\r\r\n\rretry: 99999999999\n")
	f.Fuzz(func(t *testing.T, stream string) {
		events := readAll(t, stream)
		w := httptest.NewRecorder()
		out := sse.Start(w)
		last := ""
		for _, e := range events {
			if e.ID == "" && last != "" {
				return // a writer never takes an id back
			}
			last = e.ID
			if err := out.Event(e); err != nil {
				t.Fatalf("Event(%q) = %v", e, err)
			}
		}
		if got := readAll(t, w.Body.String()); !slices.Equal(got, events) {
			t.Errorf("read again %q, want %q", got, events)
		}
	})
}

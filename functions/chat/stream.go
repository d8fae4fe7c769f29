package chat

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/run"
	"parley/shared/sse"
)

// reconnect is how long a reader should wait before it resumes a stream that was
// cut off.
const reconnect = time.Second

// comeBack is how soon a reader who may not wait should ask again. Our choice: a
// request costs more than two seconds of waiting for text.
const comeBack = 2 * time.Second

// stream writes the events of one run to one reader, from one goroutine.
type stream struct {
	view
	out  *sse.Writer
	run  parley.RunID
	beat time.Duration
	// err is why nothing more can be written; nil while the reader is connected.
	err error
}

// open begins the response.
func (f function) open(w http.ResponseWriter, r *http.Request, v view, id parley.RunID) *stream {
	s := &stream{view: v, out: sse.Start(w), run: id, beat: f.Heartbeat}
	s.err = s.out.Retry(reconnect)
	return s
}

type accepted struct {
	Session  api.Session   `json:"session"`
	Message  api.Entry     `json:"message"`
	Run      *parley.RunID `json:"run"`
	Replayed bool          `json:"replayed"`
	Ticket   string        `json:"ticket"`
}

type delta struct {
	Delta string `json:"delta"`
}

type ended struct {
	Status  parley.RunStatus `json:"status"`
	Message *api.Entry       `json:"message"`
	Session *api.Session     `json:"session"` // null when it was erased
}

func (s *stream) accepted(sent parley.Sent, ticket string) {
	s.event("accepted", "0", accepted{api.NewSession(sent.Session), s.entry(sent.Message), api.OrNull(sent.Ref.Run), sent.Replayed, ticket})
}

// end writes the last event.
func (s *stream) end(e *run.End) {
	out := ended{Status: e.Status, Message: s.message(e.Entry)}
	if e.Session != nil {
		out.Session = new(api.NewSession(e.Session))
	}
	s.event("end", api.RunEnd, out)
}

// event writes an event with the id for this place in the run's reply.
func (s *stream) event(name, place string, data any) {
	if s.err == nil {
		s.err = s.out.Event(sse.Event{ID: api.RunEventID(s.run, place), Name: name, Data: api.Encode(data)})
	}
}

// follow writes a run, from a byte of its reply on, to its end. It returns when
// the engine is done with the run, which may be long after the reader has left, or
// when the reader may not stay.
func (s *stream) follow(engine *run.Engine, ref parley.RunRef, from int, claim *run.Claim, stay run.Stay) {
	err := engine.Relay(s.r.Context(), ref, from, claim, run.Reader{Stay: stay, Every: s.beat,
		Event: func(e run.Event) error {
			s.write(e)
			return s.err
		},
		Beat: func() error { return s.out.Comment("beat") }})
	if errors.Is(err, run.ErrComeBack) {
		err = s.out.Retry(comeBack)
	}
	s.api.Cut(s.r, s.project, err)
}

func (s *stream) write(e run.Event) {
	if e.End != nil {
		s.end(e.End)
		return
	}
	s.event("text", strconv.Itoa(e.Upto), delta{e.Text})
}

package hissuno

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/run"
	"parley/shared/sse"
)

// MaxReplyBytes is how much of a reply the widget shows, in bytes of UTF-8: its
// own limit. It drops pieces that pass it and takes smaller ones after them.
const MaxReplyBytes = 40960

// cancelLag is how long the end of a cancelled reply is kept from its readers. The
// page that cancelled it drops what it shows when its cancel is answered, and would
// keep it if the end came first. Our choice: longer than answers differ.
const cancelLag = time.Second

// reconnect is how long a reader whose stream was cut waits before it resumes.
const reconnect = time.Second

// comeBack is how soon a reader who may not wait resumes. Our choice, as in the
// native API.
const comeBack = 2 * time.Second

// event is an event of either stream. What a type does not have is left out:
// the widget refuses null.
type event struct {
	Type      string   `json:"type"`
	Content   string   `json:"content,omitempty"`
	Message   any      `json:"message,omitempty"`
	Status    string   `json:"status,omitempty"`
	Data      *length  `json:"data,omitempty"`
	Timestamp api.Time `json:"timestamp"`
}

type length struct {
	ContentLength int `json:"contentLength"`
}

// stream writes one reply: the one that is being written, or one that no page
// has received yet; for a reader that was cut, the rest of the one it was at. Letters
// come in front of it, or alone.
func (f function) stream(w http.ResponseWriter, r *http.Request) error {
	p, err := f.queried(r)
	if err != nil {
		return err
	}
	awaited, err := p.awaits(r.Context())
	if err != nil {
		return err
	}
	ref, from, err := p.position(r)
	if err != nil {
		return err
	}
	var letters []parley.Entry
	if ref.Run == "" {
		if letters, err = p.letters(r.Context()); err != nil {
			return err
		}
	}
	switch {
	case ref.Run != "":
	case awaited.run != "":
		ref = parley.RunRef{Project: p.project.ID, Session: p.id, Run: awaited.run}
	case !awaited.isMissed() && len(letters) == 0:
		return &parley.Error{Kind: parley.ErrNotFound, Code: "not_found", Text: "No reply is being written"}
	}
	if err := p.takes(r.Context(), ref.Run); err != nil {
		return err
	}
	api.About(r, p.id, ref.Run)
	// From here on the run may be this request's duty: nothing returns before Relay.
	s := &reply{page: p, r: r, run: ref.Run, sent: from, full: from > MaxReplyBytes, ending: p.addition(parley.TextCut)}
	s.out = sse.Start(w)
	s.err = s.out.Retry(reconnect)
	s.event(from, event{Type: "connected"})
	s.event(from, event{Type: "message-start"})
	s.preface(letters, awaited)
	switch {
	case ref.Run == "" && !awaited.isMissed():
		s.closeLetters()
		return nil
	case ref.Run == "":
		s.text(run.Event{Text: awaited.missed.Text, Upto: len(awaited.missed.Text)})
		s.end(&run.End{Status: parley.StatusDone, Entry: &awaited.missed, Session: p.session})
		return nil
	}
	err = f.Engine.Relay(r.Context(), ref, from, nil, run.Reader{Stay: run.Stay{Seat: f.API.Store.SeatingOf(p.caller)},
		Every: f.Heartbeat, Event: s.write, Beat: func() error { return s.out.Comment("beat") }})
	if errors.Is(err, run.ErrComeBack) {
		err = s.out.Retry(comeBack)
	}
	f.API.Cut(r, p.project.ID, err)
	return nil
}

// position returns the run and the place in its text from which a reader goes
// on that says what it saw last; a zero RunRef for one that does not.
func (p *page) position(r *http.Request) (parley.RunRef, int, error) {
	text := r.Header.Get("Last-Event-ID")
	name, place, ok := strings.Cut(text, "/")
	run, err := url.PathUnescape(name)
	at, err2 := strconv.ParseUint(place, 10, 31)
	if !ok || err != nil || err2 != nil {
		return parley.RunRef{}, 0, nil
	}
	ref, err := p.API.Store.OpenRun(r.Context(), p.caller, p.id, parley.RunID(run))
	if errors.Is(err, parley.ErrNotFound) {
		return parley.RunRef{}, 0, nil
	}
	return ref, int(at), err
}

// say is a sentence of Parley's own, as the session's project words it.
func (p *page) say(key string) string { return p.project.Say(key, p.session.Language) }

// addition is what follows a reply of which not all is there: TextApology where it
// broke off, TextCut where not all can be shown.
func (p *page) addition(key string) string { return "\n\n" + cut(p.say(key), 1000) }

// reply writes a run to one reader.
type reply struct {
	page
	r   *http.Request
	out *sse.Writer
	run parley.RunID
	// sent is how many bytes of the reply the reader has, held what comes next and
	// can be shown only if the reply ends soon; full says that no more is shown.
	sent   int
	held   string
	full   bool
	ending string
	// before is how many bytes of letters came in front of it, letters the entry up to
	// which they went.
	before  int
	letters parley.Seq
	// err is why nothing more can be written; nil while the reader is there.
	err error
}

func (s *reply) event(place int, e event) {
	if s.err == nil {
		e.Timestamp = api.TimeOf(s.Now())
		s.err = s.out.Event(sse.Event{ID: url.PathEscape(string(s.run)) + "/" + strconv.Itoa(place), Data: api.Encode(e)})
	}
}

// preface writes what comes in front of the reply.
func (s *reply) preface(letters []parley.Entry, a awaited) {
	if len(letters) == 0 {
		return
	}
	text := letterText(letters, func(e parley.Entry) string { return s.content(s.r, e) })
	if a.run != "" || a.isMissed() {
		text += "\n\n"
	}
	s.before, s.letters = len(text), letters[len(letters)-1].Seq
	s.event(0, event{Type: "message-chunk", Content: text})
}

// write takes what the engine delivers.
func (s *reply) write(e run.Event) error {
	switch {
	case e.End != nil:
		s.end(e.End)
	case e.With != parley.StatusFailed: // its text is an apology: the error says it
		s.text(e)
	}
	return s.err
}

// text writes a piece of the reply as far as the widget's limit lets it: the
// last bytes below that only when it is known that nothing follows them.
func (s *reply) text(e run.Event) {
	if s.full {
		return
	}
	s.held += e.Text
	room := MaxReplyBytes - len(s.ending) - s.before - s.sent
	shown := cut(s.held, max(room, 0))
	over := s.before+s.sent+len(s.held) > MaxReplyBytes
	s.chunk(shown)
	s.held = s.held[len(shown):]
	if over {
		s.full, s.held = true, ""
		s.event(MaxReplyBytes+1, event{Type: "message-chunk", Content: s.ending})
	}
}

func (s *reply) chunk(text string) {
	if text != "" {
		s.sent += len(text)
		s.event(s.sent, event{Type: "message-chunk", Content: text})
	}
}

// end writes the last event. That is noted before, so that whoever asks after
// it was read is told so. A reply that broke off ends with an apology: at an error
// the widget would drop what it shows of it.
func (s *reply) end(e *run.End) {
	if e.Status == parley.StatusCancelled {
		select {
		case <-s.r.Context().Done():
		case <-time.After(cancelLag):
		}
	}
	if e.Status == parley.StatusIncomplete && e.Entry != nil {
		s.text(run.Event{Text: s.addition(parley.TextApology)})
	}
	s.chunk(s.held)
	last := event{Type: "message-complete", Data: &length{s.before + s.sent}}
	if e.Status == parley.StatusFailed || e.Entry == nil {
		last = event{Type: "error", Message: s.say(parley.TextApology)}
		if e.Entry != nil && e.Entry.Text != "" {
			last.Message = e.Entry.Text
		}
	}
	if e.Entry == nil {
		s.event(s.sent, last)
		return
	}
	s.finish(last, func(ctx context.Context) error { return s.replyWritten(ctx, e.Entry.Seq, s.letters) },
		func(ctx context.Context) error { return s.replyUnwritten(ctx, e.Entry.Seq) })
}

// closeLetters ends letters that came alone.
func (s *reply) closeLetters() {
	s.finish(event{Type: "message-complete", Data: &length{s.before}},
		func(ctx context.Context) error { return s.lettersShown(ctx, s.letters) },
		func(ctx context.Context) error { return s.lettersShown(ctx, s.shown) })
}

// finish writes the last event, which is noted before and taken back where it was not
// written. It is held back from a page that has sent its beacon meanwhile: that one
// may store what it is given, and the next be given it again.
func (s *reply) finish(last event, written, unwritten func(context.Context) error) {
	if s.err != nil {
		return
	}
	s.complain(written(s.r.Context()))
	if s.gone() {
		return
	}
	s.event(s.sent, last)
	// A page that has received it leaves at once: that it left says nothing.
	if s.err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.r.Context()), time.Second)
		defer cancel()
		s.complain(unwritten(ctx))
	}
}

// complain logs that the page mark could not be moved: at worst a page that is
// loaded anew shows the reply once more.
func (s *reply) complain(err error) {
	if err != nil {
		s.API.Log.LogAttrs(s.r.Context(), slog.LevelWarn, "page mark not moved", slog.String("project", string(s.project.ID)), slog.String("error", err.Error()))
	}
}

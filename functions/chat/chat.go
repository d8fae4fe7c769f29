// Package chat takes a visitor's message and streams the reply. Readers may
// leave and come back, or read the same reply in several tabs, without stopping
// it. Only a cancel stops it.
package chat

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/run"
	"parley/shared/sse"
)

// Config is what the function needs; API and Engine are required.
type Config struct {
	API    *api.API
	Engine *run.Engine
	// Heartbeat is how long a stream may be silent; zero means 10 s, well below
	// the 30 s after which CloudFront gives up an origin.
	Heartbeat time.Duration
	// Wait is how long an answer that is not a stream waits for the reply; zero
	// means 20 s, below the 30 s of an HTTP API.
	Wait time.Duration
	// Typing tells whoever of the team is connected that a visitor types, or has
	// stopped; nil tells nobody.
	Typing func(ctx context.Context, s *parley.Session, by parley.Author, typing bool)
}

// New returns the function's handler.
func New(c Config) http.Handler {
	if c.API == nil || c.Engine == nil {
		panic("chat: API and Engine are required")
	}
	c.Heartbeat, c.Wait = cmp.Or(c.Heartbeat, 10*time.Second), cmp.Or(c.Wait, 20*time.Second)
	f, visitor := function{c}, api.Visitor(c.API.Caller)
	return c.API.Handler(
		api.Route{Pattern: "POST /chat", Handle: visitor.Handle(f.send)},
		api.Route{Pattern: "GET /chat/{session}/runs/{run}", Handle: f.resume},
		api.Route{Pattern: "POST /chat/{session}/cancel", Handle: visitor.Answer(f.cancel)},
		api.Route{Pattern: "POST /chat/{session}/form", Handle: api.Within(api.ChangeTime+run.FormTime, visitor.Answer(f.form))},
		api.Route{Pattern: "POST /chat/{session}/typing", Handle: visitor.Answer(f.typing)},
		api.Route{Pattern: "POST /chat/{session}/vote", Handle: visitor.Answer(f.vote)},
	)
}

type function struct{ Config }

// message is what a visitor sends.
type message struct {
	MessageID   parley.EntryID    `json:"messageId"`
	Content     string            `json:"content"`
	SessionID   parley.SessionID  `json:"sessionId"`
	Attachments []parley.FileID   `json:"attachments"`
	Page        page              `json:"page"`
	Metadata    map[string]string `json:"metadata"`
	Language    string            `json:"language"`
	Agent       parley.AgentID    `json:"agent"`
	IfBusy      parley.Busy       `json:"ifBusy"`
	Retry       parley.RunID      `json:"retry"`
}

type page struct {
	URL   string `json:"url"`
	Title string `json:"title"`
}

func (m message) request(claim bool) parley.SendRequest {
	return parley.SendRequest{ID: m.MessageID, Session: m.SessionID, Channel: parley.ChannelNative, Agent: m.Agent,
		Language: m.Language, Content: m.Content, Attachments: m.Attachments, Page: parley.Page(m.Page),
		Metadata: m.Metadata, IfBusy: m.IfBusy, Retry: m.Retry, Claim: claim}
}

func (f function) send(w http.ResponseWriter, r *http.Request, caller parley.Caller, project *parley.Project) error {
	var in message
	if err := api.Decode(r, &in); err != nil {
		return err
	}
	whole := wantsWhole(r)
	api.About(r, in.SessionID, parley.RunID(in.MessageID))
	sent, claim, err := f.Engine.Send(r.Context(), caller, in.request(!whole))
	if err != nil {
		return err
	}
	api.About(r, sent.Session.ID, parley.RunID(in.MessageID))
	if sent.Pending {
		f.Engine.Ask(r.Context(), sent.Ref)
	}
	view := view{f.API, r, project.ID}
	if whole {
		return f.answerWhole(w, r, view, sent, f.stay(caller, sent))
	}
	// From here on this request must generate a run that it claimed: nothing may
	// return before Stream.
	s := f.open(w, r, view, parley.RunID(in.MessageID))
	s.accepted(sent, f.ticket(r, project, caller, sent.Session.ID))
	if sent.Ref.Run == "" {
		s.end(&run.End{Status: parley.StatusTakenOver, Session: sent.Session})
		return nil
	}
	s.follow(f.Engine, sent.Ref, 0, claim, f.stay(caller, sent))
	return nil
}

// stay is how long this request may wait for the reply to its message, where
// another generates it.
func (f function) stay(c parley.Caller, sent parley.Sent) run.Stay {
	return run.StayOf(sent, f.API.Store.SeatingOf(c), f.Wait)
}

// ticket returns a ticket for the session. An error is only logged, and the
// ticket left out, because the stream may have a run to generate.
func (f function) ticket(r *http.Request, p *parley.Project, c parley.Caller, session parley.SessionID) string {
	text, err := f.API.Ticket(r, p, c, session)
	if err != nil {
		f.API.Log.ErrorContext(r.Context(), "ticket", "error", err)
	}
	return text
}

// wantsWhole reports whether the client asks for the reply as one JSON object
// and not as a stream.
func wantsWhole(r *http.Request) bool {
	accept := strings.Join(r.Header.Values("Accept"), ",")
	return strings.Contains(accept, "application/json") && !strings.Contains(accept, sse.ContentType)
}

// reply is the answer to a message where the client did not ask for a stream.
type reply struct {
	Session api.Session   `json:"session"`
	Message api.Entry     `json:"message"`
	Run     *parley.RunID `json:"run"`
	End     *ending       `json:"end"` // null while the reply is not finished
	Text    string        `json:"text"`
}

type ending struct {
	Status  parley.RunStatus `json:"status"`
	Message *api.Entry       `json:"message"`
}

func (f function) answerWhole(w http.ResponseWriter, r *http.Request, v view, sent parley.Sent, stay run.Stay) error {
	out := reply{Session: api.NewSession(sent.Session), Message: v.entry(sent.Message), Run: api.OrNull(sent.Ref.Run)}
	if sent.Ref.Run == "" {
		out.End = &ending{Status: parley.StatusTakenOver}
		return api.JSON(w, http.StatusOK, out)
	}
	text, end, err := f.Engine.Wait(r.Context(), sent.Ref, f.Wait, stay)
	if err != nil {
		return err
	}
	out.Text = text
	if end != nil {
		out.End = &ending{end.Status, v.message(end.Entry)}
		if end.Session != nil {
			out.Session = api.NewSession(end.Session)
		}
	}
	return api.JSON(w, http.StatusOK, out)
}

func (f function) resume(w http.ResponseWriter, r *http.Request) error {
	session, id := parley.SessionID(r.PathValue("session")), parley.RunID(r.PathValue("run"))
	caller, project, err := f.API.Reader(r, session)
	if errors.Is(err, api.ErrTicketOver) {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if err != nil {
		return err
	}
	at, err := api.PositionOf(r, id)
	if err != nil {
		return err
	}
	ref, err := f.API.Store.OpenRun(r.Context(), caller, session, id)
	if err != nil {
		return err
	}
	if at.Ended {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	f.open(w, r, view{f.API, r, project.ID}, id).follow(f.Engine, ref, at.Bytes, nil, run.Stay{Seat: f.API.Store.SeatingOf(caller)})
	return nil
}

type cancelled struct {
	Cancelled bool       `json:"cancelled"`
	Message   *api.Entry `json:"message"`
}

func (f function) cancel(r *http.Request, c parley.Caller, p *parley.Project) (any, error) {
	var in struct {
		Run parley.RunID `json:"run"`
	}
	if err := api.DecodeOptional(r, &in); err != nil {
		return nil, err
	}
	session := parley.SessionID(r.PathValue("session"))
	api.About(r, session, in.Run)
	stopped, err := f.Engine.Cancel(r.Context(), c, session, in.Run)
	return cancelled{stopped.Entry != nil, view{f.API, r, p.ID}.message(stopped.Entry)}, err
}

// view renders a project's entries for the client of a request.
type view struct {
	api     *api.API
	r       *http.Request
	project parley.ProjectID
}

func (v view) entry(e parley.Entry) api.Entry { return v.api.Entry(v.r, v.project, e) }

// message returns the result of a run if it is a message, else nil.
func (v view) message(e *parley.Entry) *api.Entry {
	if e == nil || !e.IsMessage() {
		return nil
	}
	return new(v.entry(*e))
}

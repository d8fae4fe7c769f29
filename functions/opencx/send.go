package opencx

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/run"
)

// maxSendBytes is the longest body of a message. Our choice: room for the
// longest text, a session's first messages, and all other fields, escaped.
const maxSendBytes = 512 << 10

// message is what a page sends. Absent fields may also be null.
type message struct {
	UUID        parley.EntryID   `json:"uuid"`
	Content     string           `json:"content"`
	SessionID   parley.SessionID `json:"session_id"`
	BotToken    string           `json:"bot_token"`
	Language    string           `json:"language"`
	Attachments []attachment     `json:"attachments"`
	CustomData  json.RawMessage  `json:"custom_data"`
	// Headers, Query and Body are for the requests of actions.
	Headers map[string]any             `json:"headers"`
	Query   map[string]any             `json:"query_params"`
	Body    map[string]json.RawMessage `json:"body_properties"`
	Context json.RawMessage            `json:"clientContext"`
	// ExitMode ends the session's mode. The agent is told its text, and that of
	// FormSent.
	ExitMode string `json:"exit_mode_prompt"`
	FormSent string `json:"action_form_submitted_prompt"`
	Initial  []struct {
		UUID    parley.EntryID `json:"uuid"`
		Content string         `json:"content"`
	} `json:"initial_messages"`
	// User is what older pages say of their visitor.
	User struct {
		Email string         `json:"email"`
		Name  string         `json:"name"`
		Phone string         `json:"phone"`
		Data  map[string]any `json:"customData"`
	} `json:"user"`
}

// The codes of answers that clients of the protocol know.
const (
	codeHuman     = "session_assigned_to_human_agent"
	codeCancelled = "response_cancelled"
	codeDuplicate = "duplicate_message_ignored"
)

// sent is the answer to a message that was stored.
type sent struct {
	Success     bool        `json:"success"`
	Code        string      `json:"code,omitempty"`
	Reply       *reply      `json:"autopilotResponse,omitempty"`
	UI          *uiResponse `json:"uiResponse,omitempty"`
	Form        *action     `json:"formSubmission,omitempty"`
	IsHandedOff *bool       `json:"sessionIsHandedOff,omitempty"`
	Session     *sessionDto `json:"session,omitempty"`
}

type reply struct {
	Type   string         `json:"type"` // "text"
	Value  replyValue     `json:"value"`
	ID     parley.EntryID `json:"id"`
	Solves bool           `json:"mightSolveUserIssue"`
	Covers bool           `json:"completelyAndFullyCoveredUserIssue"`
	Mode   *mode          `json:"mode,omitempty"`
	Exited bool           `json:"didExitMode,omitempty"`
}

type replyValue struct {
	Error   bool   `json:"error"`
	Content string `json:"content"`
}

// unsent is the answer to a message that was refused; the visitor reads it.
type unsent struct {
	Success bool   `json:"success"`
	Error   reason `json:"error"`
}

type reason struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (f function) send(w http.ResponseWriter, r *http.Request, c parley.Caller, p *parley.Project) error {
	var in message
	if err := api.DecodeUpTo(r, maxSendBytes, &in); err != nil {
		if parley.Code(err) == "too_large" {
			return f.unsent(w, p, in.Language, err)
		}
		return err
	}
	if in.BotToken != "" && in.BotToken != r.Header.Get(botHeader) {
		return api.Denied("unknown_key", "bot_token is not the one of the header")
	}
	if in.SessionID == "" {
		return api.InvalidField("session_id", "session_id is required")
	}
	if in.UUID == "" { // older pages need not choose one; sent again it is another message
		in.UUID = parley.EntryID(parley.NewUUID())
	}
	c = f.holding(c, in.SessionID)
	api.About(r, in.SessionID, parley.RunID(in.UUID))
	request, err := f.request(p, in)
	if err == nil && c.Capability {
		request.Metadata, err = hints("user", in.said(r))
	}
	if err != nil {
		return f.unsent(w, p, in.Language, err)
	}
	ctx, cancel := api.Lasting(r, api.ChangeTime)
	defer cancel()
	stored, err := f.API.Store.Send(ctx, c, request)
	if err != nil {
		return f.unsent(w, p, in.Language, err)
	}
	if stored.Pending {
		f.Runs.Ask(ctx, stored.Ref)
	}
	return api.JSON(w, http.StatusCreated, f.outcome(r, c, stored, in.ExitMode != ""))
}

// request translates a message for the domain. Files are identified by the
// addresses that upload returned; nothing is fetched from them.
func (f function) request(p *parley.Project, in message) (parley.SendRequest, error) {
	out := parley.SendRequest{ID: in.UUID, Session: in.SessionID, Begun: true, Channel: parley.ChannelOpenCX, Content: in.Content,
		Language: in.Language, IfBusy: parley.BusyQueue, Refs: map[parley.FileID]parley.Ref{}, Data: filledIn(in.CustomData), LeaveMode: in.ExitMode != ""}
	for _, a := range in.Attachments {
		id, ok := f.fileOf(p, a.URL)
		if !ok {
			return out, &parley.Error{Kind: parley.ErrInvalid, Code: "attachment_unknown", Text: "an attachment was not uploaded here"}
		}
		out.Attachments = append(out.Attachments, id)
		out.Refs[id] = parley.Ref{ID: a.ID, Name: a.Name, Type: a.Type, Size: a.Size}
	}
	for _, m := range in.Initial {
		out.Greeting = append(out.Greeting, parley.Said{ID: m.UUID, Text: m.Content})
	}
	out.Extras.Context = filledIn(in.Context)
	out.Extras.Prompt = strings.TrimSpace(in.ExitMode + "\n" + in.FormSent)
	var err error
	out.Extras.Overrides, err = overrides(in.Headers, in.Query, nil, in.Body)
	return out, err
}

// filledIn returns a JSON object, nil if it has no fields.
func filledIn(object json.RawMessage) json.RawMessage {
	switch strings.TrimSpace(string(object)) {
	case "", "{}", "null":
		return nil
	}
	return object
}

// fileOf returns the project's file with a permanent address.
func (f function) fileOf(p *parley.Project, address string) (parley.FileID, bool) {
	u, err := url.Parse(address)
	if err != nil {
		return "", false
	}
	_, path, found := strings.Cut(u.Path, "/files/")
	parts := strings.Split(path, "/")
	if !found || len(parts) < 2 || !f.API.Store.IsFileSecret(p.ID, parley.FileID(parts[0]), parts[1]) {
		return "", false
	}
	return parley.FileID(parts[0]), true
}

// readable are the codes of refusals that visitors should read. They are sent
// with a success status, because clients show no text of other answers.
var readable = map[string]bool{"session_closed": true, "rate_limited": true, "budget_spent": true, "queue_full": true, "blocked": true,
	"identity_required": true, "attachment_unknown": true, "attachment_incomplete": true, "too_large": true, "invalid_field": true,
	"name_refused": true}

func (f function) unsent(w http.ResponseWriter, p *parley.Project, language string, err error) error {
	var e *parley.Error
	if !errors.As(err, &e) || !readable[e.Code] {
		return err
	}
	text := p.Say(parley.TextRefused+e.Code, language)
	if text == "" {
		text = e.Text // of what only a page's author can mend
	}
	return api.JSON(w, http.StatusOK, unsent{Error: reason{e.Code, text}})
}

// outcome waits a while for the reply. By now the message is stored, so an error
// would only make the visitor send it again; what cannot be read here the client
// gets when it polls.
func (f function) outcome(r *http.Request, c parley.Caller, stored parley.Sent, leaves bool) sent {
	out := sent{Success: true}
	switch {
	case stored.Replayed:
		out.Code = codeDuplicate
	case stored.Ref.Run == "":
		out.Code = codeHuman
	default:
		_, end, err := f.Runs.Wait(r.Context(), stored.Ref, f.Wait, run.StayOf(stored, f.API.Store.SeatingOf(c), f.Wait))
		f.logUnread(r, "wait for the reply", err)
		f.tell(r, &out, stored, end)
		f.tellMode(r, &out, end, stored, leaves)
	}
	session, err := f.now(r, c, stored.Session.ID)
	if err != nil {
		f.logUnread(r, "read the session", err)
		return out
	}
	out.Session, out.IsHandedOff = &session, &session.IsHandedOff
	return out
}

// logUnread logs what could not be read, and the client must poll for.
func (f function) logUnread(r *http.Request, what string, err error) {
	if err != nil && r.Context().Err() == nil {
		f.API.Log.ErrorContext(r.Context(), what, "error", err.Error())
	}
}

// tell adds the result of the run, if it has ended.
func (f function) tell(r *http.Request, s *sent, stored parley.Sent, end *run.End) {
	if end == nil || end.Entry == nil {
		return
	}
	switch e := *end.Entry; {
	case e.IsMessage():
		value := replyValue{Error: e.Status == parley.StatusIncomplete, Content: f.said(r.Context(), stored.Session, e)}
		s.Reply = &reply{Type: "text", Value: value, ID: e.ID, Solves: e.LikelyResolved}
		s.show(e)
	case end.Status == parley.StatusTakenOver:
		s.Code = codeHuman
	case end.Status == parley.StatusCancelled:
		s.Code = codeCancelled
	}
}

// tellMode adds the mode in which the reply leaves the session, and whether the
// reply or the message ended the mode before.
func (f function) tellMode(r *http.Request, s *sent, end *run.End, stored parley.Sent, leaves bool) {
	if s.Reply == nil || end.Session == nil {
		return
	}
	s.Reply.Exited = leaves || stored.Session.Mode != "" && end.Session.Mode == ""
	s.Reply.Mode = f.mode(r.Context(), end.Session)
}

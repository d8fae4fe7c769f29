package hissuno

import (
	"errors"
	"mime"
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
)

// state says whether the page should ask for a reply.
type state struct {
	IsRunning    bool         `json:"isRunning"`
	Status       string       `json:"status"`
	RunID        parley.RunID `json:"runId,omitempty"`
	ChatRunID    parley.RunID `json:"chatRunId,omitempty"`
	StartedAt    *api.Time    `json:"startedAt,omitempty"`
	CompletedAt  *api.Time    `json:"completedAt,omitempty"`
	ErrorMessage string       `json:"errorMessage,omitempty"`
}

// statuses are the widget's words for how a run ended. Of what has text the page
// is to ask for it, though it is not all.
var statuses = map[parley.RunStatus]string{
	parley.StatusDone: "completed", parley.StatusTakenOver: "completed", parley.StatusCancelled: "cancelled",
	parley.StatusFailed: "failed", parley.StatusIncomplete: "completed",
}

// status is what a page asks when it is loaded.
func (f function) status(w http.ResponseWriter, r *http.Request) error {
	caller, project, id, err := f.queried(r)
	if err != nil {
		return err
	}
	p := f.pageOf(caller, id)
	a, err := p.arrives(r.Context())
	if errors.Is(err, parley.ErrNotFound) {
		return api.JSON(w, http.StatusOK, state{Status: "idle"})
	}
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, stateOf(project, p.session, a))
}

func stateOf(p *parley.Project, session *parley.Session, a awaited) state {
	out := state{Status: "idle", RunID: a.run, ChatRunID: a.run}
	switch {
	case a.isMissed():
		at := api.Time(a.missed.At)
		out.CompletedAt = &at
		out.Status, out.IsRunning = "completed", a.missed.IsMessage()
		if word, ok := statuses[a.missed.Status]; ok {
			out.Status = word
		}
		if out.Status == "failed" {
			out.IsRunning, out.ErrorMessage = false, p.Say(parley.TextApology, session.Language)
		}
	case a.run != "":
		at := api.Time(session.Run.Since)
		out.IsRunning, out.Status, out.StartedAt = true, "running", &at
	}
	return out
}

// about is what a cancel and a close say.
type about struct {
	ProjectID string           `json:"projectId"`
	SessionID parley.SessionID `json:"sessionId"`
}

type cancelled struct {
	Message   string `json:"message"`
	Cancelled bool   `json:"cancelled"`
}

func (f function) cancel(w http.ResponseWriter, r *http.Request) error {
	var in about
	if err := api.DecodeAny(r, &in); err != nil {
		return err
	}
	caller, _, err := f.caller(r, in.ProjectID, in.SessionID)
	if err != nil {
		return err
	}
	stopped, err := f.Engine.Cancel(r.Context(), caller, in.SessionID, "")
	if err != nil && !errors.Is(err, parley.ErrNotFound) {
		return err
	}
	if stopped.Entry == nil {
		return api.JSON(w, http.StatusOK, cancelled{"Nothing is running", false})
	}
	return api.JSON(w, http.StatusOK, cancelled{"Cancelled", true})
}

type closed struct {
	Success bool `json:"success"`
}

// close reads the body by what it holds, whatever it is called, and no cookie.
// A page that is unloaded sends it as text; one that stays, as JSON.
func (f function) close(w http.ResponseWriter, r *http.Request) error {
	var in about
	if err := api.DecodeAny(r, &in); err != nil {
		return err
	}
	caller, _, err := f.caller(r, in.ProjectID, in.SessionID)
	if err != nil {
		return err
	}
	if mediaType, _, mediaErr := mime.ParseMediaType(r.Header.Get("Content-Type")); mediaErr == nil && mediaType == "text/plain" {
		p := f.pageOf(caller, in.SessionID)
		err = p.leaves(r.Context())
	} else {
		p := f.pageOf(caller, in.SessionID)
		err = p.shuts(r.Context())
	}
	if err != nil && !errors.Is(err, parley.ErrNotFound) {
		return err
	}
	return api.JSON(w, http.StatusOK, closed{true})
}

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
func (f function) status(r *http.Request) (any, error) {
	p, err := f.queried(r)
	if err != nil {
		return nil, err
	}
	a, err := p.arrives(r.Context())
	if errors.Is(err, parley.ErrNotFound) {
		return state{Status: "idle"}, nil
	}
	if err != nil {
		return nil, err
	}
	return p.state(a), nil
}

func (p *page) state(a awaited) state {
	out := state{Status: "idle", RunID: a.run, ChatRunID: a.run}
	switch {
	case a.isMissed():
		out.Status, out.IsRunning, out.CompletedAt = "completed", a.missed.IsMessage(), new(api.Time(a.missed.At))
		if word, ok := statuses[a.missed.Status]; ok {
			out.Status = word
		}
		if out.Status == "failed" {
			out.IsRunning, out.ErrorMessage = false, p.say(parley.TextApology)
		}
	case a.run != "":
		out.IsRunning, out.Status, out.StartedAt = true, "running", new(api.Time(p.session.Run.Since))
	}
	return out
}

type cancelled struct {
	Message   string `json:"message"`
	Cancelled bool   `json:"cancelled"`
}

func (f function) cancel(r *http.Request) (any, error) {
	p, err := f.told(r)
	if err != nil {
		return nil, err
	}
	stopped, err := f.Engine.Cancel(r.Context(), p.caller, p.id, "")
	if err != nil && !errors.Is(err, parley.ErrNotFound) {
		return nil, err
	}
	if stopped.Entry == nil {
		return cancelled{"Nothing is running", false}, nil
	}
	return cancelled{"Cancelled", true}, nil
}

type closed struct {
	Success bool `json:"success"`
}

// close reads the body by what it holds, whatever it is called, and no cookie.
// A page that is unloaded sends it as text; one that stays, as JSON.
func (f function) close(r *http.Request) (any, error) {
	p, err := f.told(r)
	if err != nil {
		return nil, err
	}
	if mediaType, _, mediaErr := mime.ParseMediaType(r.Header.Get("Content-Type")); mediaErr == nil && mediaType == "text/plain" {
		err = p.leaves(r.Context())
	} else {
		err = p.shuts(r.Context())
	}
	if err != nil && !errors.Is(err, parley.ErrNotFound) {
		return nil, err
	}
	return closed{true}, nil
}

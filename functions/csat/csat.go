// Package csat lets visitors rate their sessions.
//
// Tested by shared/api/apitest.
package csat

import (
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
)

// New returns the function's handler.
func New(a *api.API) http.Handler {
	f, visitor := function{a}, api.Visitor(a.Caller)
	return a.Handler(
		api.Route{Pattern: "POST /csat", Handle: visitor.Answer(f.rate)},
		api.Route{Pattern: "GET /csat/{session}", Handle: visitor.Answer(f.read)},
	)
}

type function struct{ *api.API }

// rating is a rating as its owner sees it.
type rating struct {
	Score    int      `json:"score"`
	Feedback string   `json:"feedback"`
	At       api.Time `json:"at"`
}

type answer struct {
	Rating *rating `json:"rating"`
}

func newAnswer(r *parley.Rating) answer {
	if r == nil {
		return answer{}
	}
	return answer{&rating{r.Score, r.Feedback, api.Time(r.At)}}
}

func (f function) rate(r *http.Request, c parley.Caller, _ *parley.Project) (any, error) {
	var in struct {
		SessionID parley.SessionID `json:"sessionId"`
		Score     int              `json:"score"`
		Feedback  string           `json:"feedback"`
	}
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	api.About(r, in.SessionID, "")
	stored, err := f.Store.Rate(r.Context(), c, in.SessionID, in.Score, in.Feedback)
	return newAnswer(&stored), err
}

func (f function) read(r *http.Request, c parley.Caller, _ *parley.Project) (any, error) {
	stored, err := f.Store.Rating(r.Context(), c, parley.SessionID(r.PathValue("session")))
	return newAnswer(stored), err
}

// Package csat lets visitors rate their sessions.
//
// Tested by shared/api/apitest.
package csat

import (
	"errors"
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
)

// Config is what the function needs; API is required.
type Config struct {
	API *api.API
}

// New returns the function's handler.
func New(c Config) (http.Handler, error) {
	if c.API == nil {
		return nil, errors.New("csat: API is required")
	}
	f := function{c}
	return c.API.Handler(
		api.Route{Pattern: "POST /csat", Handle: f.rate},
		api.Route{Pattern: "GET /csat/{session}", Handle: f.read},
	), nil
}

type function struct{ Config }

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

func (f function) rate(w http.ResponseWriter, r *http.Request) error {
	caller, _, err := f.API.Caller(r)
	if err != nil {
		return err
	}
	var in struct {
		SessionID parley.SessionID `json:"sessionId"`
		Score     int              `json:"score"`
		Feedback  string           `json:"feedback"`
	}
	if err := api.Decode(r, &in); err != nil {
		return err
	}
	api.About(r, in.SessionID, "")
	stored, err := f.API.Store.Rate(r.Context(), caller, in.SessionID, in.Score, in.Feedback)
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, newAnswer(&stored))
}

func (f function) read(w http.ResponseWriter, r *http.Request) error {
	caller, _, err := f.API.Caller(r)
	if err != nil {
		return err
	}
	stored, err := f.API.Store.Rating(r.Context(), caller, parley.SessionID(r.PathValue("session")))
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, newAnswer(stored))
}

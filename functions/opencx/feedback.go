package opencx

import (
	"encoding/json"
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
)

func (f function) checkpoint(w http.ResponseWriter, r *http.Request) error {
	c, _, err := f.caller(r)
	if err != nil {
		return err
	}
	var in struct {
		SessionID parley.SessionID `json:"session_id"`
		Payload   json.RawMessage  `json:"payload"`
	}
	if err := api.Decode(r, &in); err != nil {
		return err
	}
	api.About(r, in.SessionID, "")
	ctx, cancel := api.Lasting(r, changeTime)
	defer cancel()
	if _, err := f.API.Store.Checkpoint(ctx, c, in.SessionID, in.Payload); err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, success{true})
}

// notRated is the answer to a rating where ratings are off. Newer clients then
// withdraw it.
type notRated struct {
	Success bool   `json:"success"`
	Reason  string `json:"reason"`
}

func (f function) rate(w http.ResponseWriter, r *http.Request) error {
	c, _, err := f.caller(r)
	if err != nil {
		return err
	}
	var in struct {
		SessionID parley.SessionID `json:"session_id"`
		Score     int              `json:"score"`
		Feedback  string           `json:"feedback"`
		UUID      parley.EntryID   `json:"system_message_uuid"`
	}
	if err := api.Decode(r, &in); err != nil {
		return err
	}
	api.About(r, in.SessionID, "")
	ctx, cancel := api.Lasting(r, changeTime)
	defer cancel()
	_, err = f.API.Store.RateOnce(ctx, c, in.SessionID,
		parley.RateRequest{ID: in.UUID, Score: in.Score, Feedback: in.Feedback})
	if parley.Code(err) == "csat_off" {
		return api.JSON(w, http.StatusOK, notRated{false, "request_cancelled"})
	}
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, success{true})
}

// votes are the clients' names for votes.
var votes = map[string]parley.Vote{"upvote": parley.VoteUp, "downvote": parley.VoteDown}

type voted struct {
	MessagePublicID parley.EntryID `json:"messagePublicId"`
	Success         bool           `json:"success"`
}

func (f function) vote(w http.ResponseWriter, r *http.Request) error {
	c, _, err := f.anybody(r)
	if err != nil {
		return err
	}
	var in struct {
		Action          string           `json:"action"`
		SessionID       parley.SessionID `json:"sessionId"`
		MessagePublicID parley.EntryID   `json:"messagePublicId"`
	}
	if err := api.Decode(r, &in); err != nil {
		return err
	}
	api.About(r, in.SessionID, "")
	vote, known := votes[in.Action]
	if !known {
		return api.InvalidField("action", "action is upvote or downvote")
	}
	ctx, cancel := api.Lasting(r, changeTime)
	defer cancel()
	if _, err := f.API.Store.Vote(ctx, f.holding(c, in.SessionID), in.SessionID, in.MessagePublicID, vote); err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, voted{in.MessagePublicID, true})
}

package opencx

import (
	"encoding/json"
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
)

func (f function) checkpoint(r *http.Request, c parley.Caller, _ *parley.Project) (any, error) {
	var in struct {
		SessionID parley.SessionID `json:"session_id"`
		Payload   json.RawMessage  `json:"payload"`
	}
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	api.About(r, in.SessionID, "")
	_, err := f.API.Store.Checkpoint(r.Context(), c, in.SessionID, in.Payload)
	return success{Success: true}, err
}

func (f function) rate(r *http.Request, c parley.Caller, _ *parley.Project) (any, error) {
	var in struct {
		SessionID parley.SessionID `json:"session_id"`
		Score     int              `json:"score"`
		Feedback  string           `json:"feedback"`
		UUID      parley.EntryID   `json:"system_message_uuid"`
	}
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	api.About(r, in.SessionID, "")
	_, err := f.API.Store.RateOnce(r.Context(), c, in.SessionID, parley.RateRequest{ID: in.UUID, Score: in.Score, Feedback: in.Feedback})
	if parley.Code(err) == "csat_off" {
		return success{Reason: "request_cancelled"}, nil // upon which newer clients withdraw the rating
	}
	return success{Success: true}, err
}

// votes are the clients' names for votes.
var votes = map[string]parley.Vote{"upvote": parley.VoteUp, "downvote": parley.VoteDown}

type voted struct {
	MessagePublicID parley.EntryID `json:"messagePublicId"`
	Success         bool           `json:"success"`
}

func (f function) vote(r *http.Request, c parley.Caller, _ *parley.Project) (any, error) {
	var in struct {
		Action          string           `json:"action"`
		SessionID       parley.SessionID `json:"sessionId"`
		MessagePublicID parley.EntryID   `json:"messagePublicId"`
	}
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	api.About(r, in.SessionID, "")
	vote, known := votes[in.Action]
	if !known {
		return nil, api.InvalidField("action", "action is upvote or downvote")
	}
	_, err := f.API.Store.Vote(r.Context(), f.holding(c, in.SessionID), in.SessionID, in.MessagePublicID, vote)
	return voted{in.MessagePublicID, true}, err
}

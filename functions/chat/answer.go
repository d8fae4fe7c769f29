package chat

import (
	"encoding/json"
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
)

// amended is an answer in its current state.
type amended struct {
	Message api.Entry `json:"message"`
}

// form takes a form that an answer asked the visitor to fill in.
func (f function) form(r *http.Request, c parley.Caller, p *parley.Project) (any, error) {
	var in struct {
		MessageID parley.EntryID  `json:"messageId"`
		Call      string          `json:"call"`
		Arguments json.RawMessage `json:"arguments"`
	}
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	if in.Arguments == nil {
		return nil, api.InvalidField("arguments", "arguments is a JSON object")
	}
	sent, err := f.Engine.Submit(r.Context(), c, parley.FormRequest{Session: parley.SessionID(r.PathValue("session")),
		Message: in.MessageID, Call: in.Call, Arguments: in.Arguments})
	return amended{f.API.Entry(r, p.ID, sent.Message)}, err
}

// vote stores the visitor's vote on an answer.
func (f function) vote(r *http.Request, c parley.Caller, p *parley.Project) (any, error) {
	var in struct {
		MessageID parley.EntryID `json:"messageId"`
		Vote      parley.Vote    `json:"vote"`
	}
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	message, err := f.API.Store.Vote(r.Context(), c, parley.SessionID(r.PathValue("session")), in.MessageID, in.Vote)
	return amended{f.API.Entry(r, p.ID, message)}, err
}

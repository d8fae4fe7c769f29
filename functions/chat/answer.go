package chat

import (
	"encoding/json"
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/run"
)

// amended is an answer in its current state.
type amended struct {
	Message api.Entry `json:"message"`
}

// form takes a form that an answer asked the visitor to fill in.
func (f function) form(w http.ResponseWriter, r *http.Request) error {
	caller, project, err := f.API.Caller(r)
	if err != nil {
		return err
	}
	var in struct {
		MessageID parley.EntryID  `json:"messageId"`
		Call      string          `json:"call"`
		Arguments json.RawMessage `json:"arguments"`
	}
	if err := api.Decode(r, &in); err != nil {
		return err
	}
	if in.Arguments == nil {
		return api.InvalidField("arguments", "arguments is a JSON object")
	}
	session := parley.SessionID(r.PathValue("session"))
	api.About(r, session, "")
	ctx, cancel := api.Lasting(r, run.FormTime)
	defer cancel()
	sent, err := f.Engine.Submit(ctx, caller, parley.FormRequest{Session: session, Message: in.MessageID, Call: in.Call, Arguments: in.Arguments})
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, amended{view{f.API, r, project.ID}.entry(sent.Message)})
}

// vote stores the visitor's vote on an answer.
func (f function) vote(w http.ResponseWriter, r *http.Request) error {
	caller, project, err := f.API.Caller(r)
	if err != nil {
		return err
	}
	var in struct {
		MessageID parley.EntryID `json:"messageId"`
		Vote      parley.Vote    `json:"vote"`
	}
	if err := api.Decode(r, &in); err != nil {
		return err
	}
	session := parley.SessionID(r.PathValue("session"))
	api.About(r, session, "")
	message, err := f.API.Store.Vote(r.Context(), caller, session, in.MessageID, in.Vote)
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, amended{view{f.API, r, project.ID}.entry(message)})
}

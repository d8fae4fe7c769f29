package opencx

import (
	"encoding/json"
	"maps"
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/run"
)

// actionCall is a call of an action by the agent, with its result.
type actionCall struct {
	ActionName string          `json:"actionName"`
	Args       json.RawMessage `json:"args"`
	Result     any             `json:"result"`
	Action     action          `json:"action"`
}

// action names a call, by which a form is executed too.
type action struct {
	Name         string   `json:"name"`
	ID           string   `json:"id"`
	Metadata     metadata `json:"metadata"`
	RequiredForm bool     `json:"required_form_submission,omitempty"`
}

// metadata is what a page draws a form from.
type metadata struct {
	Parameters json.RawMessage `json:"parameters,omitempty"`
	Submitted  bool            `json:"submitted,omitempty"`
}

// answered is what a host answered. Clients hand what the text of its body says
// to the component that shows the action, and where there is none all of this.
type answered struct {
	Status int    `json:"status"`
	Body   string `json:"responseBodyText,omitempty"` // JSON
}

// failed is the result of a call that did not succeed.
type failed struct {
	Error string `json:"error"`
}

// asked is the result of a call whose form nobody has sent. Clients hand a
// component nothing else of a call: it is all that a form can be drawn from.
type asked struct {
	Form form `json:"form"`
}

type form struct {
	ID         string          `json:"id"` // the actionId to execute
	Parameters json.RawMessage `json:"parameters"`
	Values     json.RawMessage `json:"values,omitempty"` // what the agent knows of them
}

// hostAnswer is how parley.ActionResult keeps an answer.
type hostAnswer struct {
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body"`
}

func newActionCall(c *parley.ActionCall) actionCall {
	out := actionCall{ActionName: c.Name, Args: c.Arguments, Result: result(c), Action: newAction(c)}
	if out.Args == nil {
		out.Args = json.RawMessage("{}")
	}
	return out
}

func newAction(c *parley.ActionCall) action {
	out := action{Name: c.Name, ID: c.ID}
	if c.Form != nil {
		out.RequiredForm = true
		out.Metadata = metadata{c.Form.Parameters, c.Form.Submitted > 0}
	}
	return out
}

func result(c *parley.ActionCall) any {
	switch {
	case c.Error != "":
		return failed{c.Error}
	case c.Form != nil && c.Form.Submitted == 0:
		return asked{form{c.ID, c.Form.Parameters, c.Arguments}}
	case c.Result == nil:
		return json.RawMessage("null")
	}
	var a hostAnswer
	if err := json.Unmarshal(c.Result, &a); err != nil || a.Status == 0 {
		return c.Result
	}
	return answered{a.Status, string(a.Body)}
}

// response is what a component is to show of a call: the body of the answer,
// as clients make it of result.
func response(c *parley.ActionCall) any {
	if a, ok := result(c).(answered); ok && a.Body != "" {
		return json.RawMessage(a.Body)
	}
	return result(c)
}

// uiResponse has the newest call of a reply shown in the reply's own bubble.
type uiResponse struct {
	Type   string  `json:"type"` // "ui"
	Value  uiValue `json:"value"`
	Solves bool    `json:"mightSolveUserIssue"`
}

type uiValue struct {
	Type     string `json:"type"` // "ui_component"
	Name     string `json:"name"`
	Response any    `json:"request_response"`
	Content  string `json:"content,omitempty"`
}

// show adds what clients show of a reply's calls.
func (s *sent) show(e parley.Entry) {
	for _, part := range e.Parts {
		c := part.Action
		if c == nil {
			continue
		}
		s.UI = &uiResponse{"ui", uiValue{"ui_component", c.Name, response(c), neutral(e.Text)}, e.LikelyResolved}
		if c.Form != nil && c.Form.Submitted == 0 {
			form := newAction(c)
			s.Form = &form
		}
	}
}

// filled is a form that a page sends. Values of paths and queries are strings.
type filled struct {
	SessionID parley.SessionID `json:"sessionId"`
	MessageID parley.EntryID   `json:"formMessageId"`
	ActionID  string           `json:"actionId"`
	Request   struct {
		Query   map[string]any             `json:"queryParams"`
		Path    map[string]any             `json:"pathParams"`
		Headers map[string]any             `json:"headers"`
		Body    map[string]json.RawMessage `json:"bodyParams"`
	} `json:"request"`
}

type executed struct {
	Action executedAction `json:"action"`
}

type executedAction struct {
	Response any `json:"response"`
}

func (f function) execute(w http.ResponseWriter, r *http.Request) error {
	c, _, err := f.caller(r)
	if err != nil {
		return err
	}
	var in filled
	if err := api.Decode(r, &in); err != nil {
		return err
	}
	api.About(r, in.SessionID, "")
	brought, err := overrides(in.Request.Headers, in.Request.Query, in.Request.Path, in.Request.Body)
	if err != nil {
		return err
	}
	ctx, cancel := api.Lasting(r, run.FormTime)
	defer cancel()
	out, err := f.Runs.Submit(ctx, c, parley.FormRequest{Session: in.SessionID, Message: in.MessageID, Call: in.ActionID,
		Loose: loose(brought), Overrides: brought})
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, executed{executedAction{response(&out.Call)}})
}

// overrides are the values that a page brings for the requests of actions.
func overrides(headers, query, path map[string]any, body map[string]json.RawMessage) (out parley.Overrides, err error) {
	if out.Headers, err = pairs("headers", headers); err != nil {
		return out, err
	}
	if out.Query, err = pairs("query_params", query); err != nil {
		return out, err
	}
	out.Path, err = pairs("path_params", path)
	out.Body = body
	return out, err
}

// loose are all fields of a form, wherever a page puts them.
func loose(o parley.Overrides) map[string]json.RawMessage {
	all := map[string]json.RawMessage{}
	for _, texts := range []map[string]string{o.Query, o.Path} {
		for name, text := range texts {
			all[name] = json.RawMessage(api.Encode(text))
		}
	}
	maps.Copy(all, o.Body)
	return all
}

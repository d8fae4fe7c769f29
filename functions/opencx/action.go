package opencx

import (
	"encoding/json"
	"maps"
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
)

// actionCall is a call of an action by the agent, with its result.
type actionCall struct {
	ActionName string          `json:"actionName"`
	Args       json.RawMessage `json:"args"`
	Result     any             `json:"result"`
	Action     action          `json:"action"`
}

// action identifies a call; forms are sent under its id too.
type action struct {
	Name         string   `json:"name"`
	ID           string   `json:"id"`
	Metadata     metadata `json:"metadata"`
	RequiredForm bool     `json:"required_form_submission,omitempty"`
}

// metadata is what a page needs to draw a form.
type metadata struct {
	Parameters json.RawMessage `json:"parameters,omitempty"`
	Submitted  bool            `json:"submitted,omitempty"`
}

// hostResponse is what a host answered. Clients pass the parsed text of its body
// to the component that shows the action, or all of this if there is none.
type hostResponse struct {
	Status int    `json:"status"`
	Body   string `json:"responseBodyText,omitempty"` // JSON
}

// failed is the result of a call that did not succeed.
type failed struct {
	Error string `json:"error"`
}

// formWanted is the result of a call whose form has not been sent. A component
// gets nothing else of a call, so everything needed to draw the form must be in
// it.
type formWanted struct {
	Form form `json:"form"`
}

type form struct {
	ID         string          `json:"id"` // the actionId to execute
	Parameters json.RawMessage `json:"parameters"`
	Values     json.RawMessage `json:"values,omitempty"` // what the agent knows of them
}

// hostAnswer is the form in which parley.ActionResult stores an answer.
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
	var a hostAnswer
	answered := json.Unmarshal(c.Result, &a) == nil && a.Status != 0
	switch {
	case answered && refuses(a):
		return hostResponse{a.Status, string(a.Body)}
	case c.Error != "":
		return failed{c.Error}
	case c.Form != nil && c.Form.Submitted == 0:
		return formWanted{form{c.ID, c.Form.Parameters, c.Arguments}}
	case !answered:
		return c.Result // nil is null in JSON
	}
	return hostResponse{a.Status, string(a.Body)}
}

// refuses reports whether a host says in words what is wrong with what it was asked,
// for its component to show. What it says of a fault of its own is nobody's business.
func refuses(a hostAnswer) bool {
	return a.Status >= 400 && a.Status < 500 && len(a.Body) > 0
}

// response is what a component should show of a call: the body of the answer,
// just as clients derive it from the result.
func response(c *parley.ActionCall) any {
	if a, ok := result(c).(hostResponse); ok && a.Body != "" {
		return json.RawMessage(a.Body)
	}
	return result(c)
}

// uiResponse makes clients show the newest call of a reply in the reply's own
// bubble.
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

// show adds what clients need to show a reply's calls.
func (s *sent) show(e parley.Entry) {
	for _, part := range e.Parts {
		c := part.Action
		if c == nil {
			continue
		}
		s.UI = &uiResponse{"ui", uiValue{"ui_component", c.Name, response(c), neutral(e.Text)}, e.LikelyResolved}
		if c.Form != nil && c.Form.Submitted == 0 {
			s.Form = new(newAction(c))
		}
	}
}

// filled is a form that a page sends. Values for paths and queries are strings.
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

func (f function) execute(r *http.Request, c parley.Caller, _ *parley.Project) (any, error) {
	var in filled
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	api.About(r, in.SessionID, "")
	brought, err := overrides(in.Request.Headers, in.Request.Query, in.Request.Path, in.Request.Body)
	if err != nil {
		return nil, err
	}
	out, err := f.Runs.Submit(r.Context(), c, parley.FormRequest{Session: in.SessionID, Message: in.MessageID, Call: in.ActionID,
		Loose: formFields(brought), Overrides: brought})
	if err != nil {
		return nil, err
	}
	return executed{executedAction{response(&out.Call)}}, nil
}

// overrides returns the values that a page supplies for the requests of actions.
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

// formFields returns all fields of a form, wherever a page put them.
func formFields(o parley.Overrides) map[string]json.RawMessage {
	all := map[string]json.RawMessage{}
	for _, texts := range []map[string]string{o.Query, o.Path} {
		for name, text := range texts {
			all[name] = json.RawMessage(api.Encode(text))
		}
	}
	maps.Copy(all, o.Body)
	return all
}

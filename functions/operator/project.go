package operator

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"parley/shared/api"
	"parley/shared/parley"
)

type agentOut struct {
	ID      parley.AgentID `json:"id"`
	Name    string         `json:"name"`
	Picture string         `json:"picture,omitempty"`
}

type limits struct {
	MessageBytes int   `json:"messageBytes"`
	Attachments  int   `json:"attachments"`
	UploadBytes  int64 `json:"uploadBytes"`
}

type projectOut struct {
	ID   parley.ProjectID `json:"id"`
	Name string           `json:"name"`
}

type me struct {
	Project   projectOut    `json:"project"`
	Key       keyOut        `json:"key"`
	Operator  *operatorOut  `json:"operator"`
	Agents    []agentOut    `json:"agents"`
	Operators []operatorOut `json:"operators"`
	Limits    limits        `json:"limits"`
}

func (f function) me(r *http.Request, s api.Staff) (any, error) {
	all, err := f.API.Store.Operators(r.Context(), s.Project.ID)
	out := me{Project: projectOut{s.Project.ID, s.Project.Name}, Key: newKey(s.Key), Operators: newOperators(all),
		Agents: make([]agentOut, len(s.Project.Agents)),
		Limits: limits{parley.MaxMessageBytes, parley.MaxAttachments, s.Project.Uploads.Max()}}
	for i, a := range s.Project.Agents {
		out.Agents[i] = agentOut{a.ID, a.Name, a.Picture}
	}
	if o := s.Operator; o != nil {
		out.Operator = &operatorOut{o.ID, o.Name, o.Picture}
	}
	return out, err
}

func newOperators(all []parley.Operator) []operatorOut {
	out := make([]operatorOut, len(all))
	for i, o := range all {
		out[i] = operatorOut{o.ID, o.Name, o.Picture}
	}
	return out
}

func (f function) operators(r *http.Request, s api.Staff) (any, error) {
	all, err := f.API.Store.Operators(r.Context(), s.Project.ID)
	return map[string][]operatorOut{"operators": newOperators(all)}, err
}

func (f function) putOperator(r *http.Request, s api.Staff) (any, error) {
	var in struct {
		Name    string `json:"name"`
		Picture string `json:"picture"`
	}
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	o := parley.Operator{ID: parley.OperatorID(r.PathValue("operator")), Name: in.Name, Picture: in.Picture}
	return map[string]operatorOut{"operator": {o.ID, o.Name, o.Picture}}, f.API.Store.PutOperator(r.Context(), s.Project.ID, o)
}

func (f function) removeOperator(r *http.Request, s api.Staff) (any, error) {
	id := parley.OperatorID(r.PathValue("operator"))
	err := f.API.Store.RemoveOperator(r.Context(), s.Project.ID, id)
	return removed{true}, errors.Join(err, f.dismiss(r, s, "", id))
}

// dismiss ends the sockets of a key, or of an operator, that is gone.
func (f function) dismiss(r *http.Request, s api.Staff, key string, operator parley.OperatorID) error {
	if f.Dismiss == nil {
		return nil
	}
	return f.Dismiss(r.Context(), s.Project.ID, key, operator)
}

type settings struct {
	Revision int64          `json:"revision"`
	Project  parley.Project `json:"project"`
}

func (f function) project(r *http.Request, s api.Staff) (any, error) {
	stood, err := f.API.Store.Settings(r.Context(), s.Project.ID)
	return settings{stood.Revision, stood.Project}, err
}

func (f function) putProject(r *http.Request, s api.Staff) (any, error) {
	var in struct {
		Revision *int64          `json:"revision"`
		Project  json.RawMessage `json:"project"`
	}
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	if in.Revision == nil {
		return nil, api.InvalidField("revision", "revision is that of the settings as they were read")
	}
	p, err := decodeProject(in.Project)
	if err != nil {
		return nil, err
	}
	if p.ID != s.Project.ID {
		return nil, api.InvalidField("id", "the id of a project cannot be changed")
	}
	stored, err := f.API.Store.ReplaceProject(r.Context(), p, *in.Revision)
	return settings{stored.Revision, stored.Project}, err
}

// decodeProject refuses unknown settings: a misspelled one would silently leave
// its default in place.
func decodeProject(text json.RawMessage) (parley.Project, error) {
	var p parley.Project
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(&p)
	var mistyped *json.UnmarshalTypeError
	switch {
	case errors.As(err, &mistyped) && mistyped.Field != "":
		return p, api.InvalidField(mistyped.Field, mistyped.Field+" cannot be a "+mistyped.Value)
	case err != nil && strings.HasPrefix(err.Error(), "json: unknown field"):
		return p, api.InvalidField("project", "there is no setting "+strings.TrimPrefix(err.Error(), "json: unknown field "))
	case err != nil || string(text) == "null":
		return p, api.InvalidField("project", "project is an object of settings")
	}
	return p, nil
}

package operator

import (
	"encoding/json"
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
)

type (
	entry   = api.StaffEntry
	session = api.StaffSession
)

func (f function) entry(r *http.Request, p parley.ProjectID, e parley.Entry) entry {
	return api.NewStaffEntry(f.API.Entry(r, p, e), e)
}

func (f function) entries(r *http.Request, p parley.ProjectID, list []parley.Entry) []entry {
	out := make([]entry, len(list))
	for i, e := range list {
		out[i] = f.entry(r, p, e)
	}
	return out
}

type page struct {
	URL   string `json:"url"`
	Title string `json:"title"`
}

type person struct {
	Name    string `json:"name"`
	Email   string `json:"email"`
	Picture string `json:"picture"`
	Proven  bool   `json:"proven"`
}

type visitor struct {
	ID        parley.VisitorID  `json:"id"`
	Name      string            `json:"name"`
	Email     string            `json:"email"`
	Language  string            `json:"language"`
	Metadata  map[string]string `json:"metadata"`
	CreatedAt api.Time          `json:"createdAt"`
	Blocked   bool              `json:"blocked"`
}

type contact struct {
	ID         parley.ContactID  `json:"id"`
	ExternalID string            `json:"externalId"`
	Name       string            `json:"name"`
	Email      string            `json:"email"`
	Picture    string            `json:"picture"`
	Metadata   map[string]string `json:"metadata"`
	Proven     bool              `json:"proven"`
	CreatedAt  api.Time          `json:"createdAt"`
	Blocked    bool              `json:"blocked"`
}

type about struct {
	Page         page                `json:"page"`
	Metadata     map[string]string   `json:"metadata"`
	Attributes   map[string]string   `json:"attributes"`
	Participants []parley.OperatorID `json:"participants"`
	Tags         []string            `json:"tags"`
	Checkpoint   json.RawMessage     `json:"checkpoint,omitempty"`
}

type rating struct {
	Score    int      `json:"score"`
	Feedback string   `json:"feedback"`
	At       api.Time `json:"at"`
}

// filled returns a map that JSON writes as {} and not as null.
func filled(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

func newAbout(d parley.Detail) about {
	a := d.About
	return about{page(a.Page), filled(a.Metadata), filled(a.Attributes), append([]parley.OperatorID{}, d.Participants...),
		append([]string{}, d.Tags...), a.Checkpoint}
}

// operatorOut is a person of the project.
type operatorOut struct {
	ID      parley.OperatorID `json:"id"`
	Name    string            `json:"name"`
	Picture string            `json:"picture,omitempty"`
}

// keyOut is a private key without its secret.
type keyOut struct {
	ID        string             `json:"id"`
	Name      string             `json:"name"`
	Scopes    []parley.Scope     `json:"scopes"`
	Operator  *parley.OperatorID `json:"operator"`
	Test      bool               `json:"test"`
	CreatedAt api.Time           `json:"createdAt"`
	UsedAt    *api.Time          `json:"usedAt"`
}

func newKey(k parley.PrivateKey) keyOut {
	return keyOut{k.ID, k.Name, k.Scopes, api.OrNull(k.Operator), k.Test, api.Time(k.Created), api.TimeOrNull(k.Used)}
}

type removed struct {
	Removed bool `json:"removed"`
}

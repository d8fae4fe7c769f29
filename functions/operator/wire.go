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
	// What only a widget says whose visitors are bare; empty of others.
	ExternalID  string            `json:"externalId"`
	Picture     string            `json:"picture"`
	Timezone    string            `json:"timezone"`
	Device      map[string]string `json:"device"`
	Pages       []visit           `json:"pages"`
	Attribution json.RawMessage   `json:"attribution,omitempty"`
	LastSeenAt  *api.Time         `json:"lastSeenAt"`
}

type visit struct {
	URL   string   `json:"url"`
	Title string   `json:"title"`
	At    api.Time `json:"at"`
}

// newVisitor is the visitor of a session, nil where there is none.
func newVisitor(d parley.Detail) *visitor {
	v := d.Visitor
	if v == nil {
		return nil
	}
	out := visitor{ID: v.ID, Name: v.Name, Email: v.Email, Language: v.Language, Metadata: filled(v.Metadata), CreatedAt: api.Time(v.Created),
		Blocked: v.Blocked, Device: map[string]string{}, Pages: []visit{}, LastSeenAt: api.TimeOrNull(v.Heard)}
	if d.Profile == nil {
		return &out
	}
	said, at := d.Profile.Said, d.Profile.Tracking
	out.ExternalID, out.Picture, out.Metadata = said.External, said.Picture, filled(said.Metadata.Texts())
	out.Language, out.Timezone, out.Device, out.Attribution = at.Language, at.Timezone, filled(at.Device), at.First
	for _, p := range at.Visits() {
		out.Pages = append(out.Pages, visit{p.URL, p.Title, api.Time(p.At)})
	}
	return &out
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

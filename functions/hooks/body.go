package hooks

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"parley/shared/api"
	"parley/shared/parley"
)

// Body is what is posted to an endpoint.
type Body struct {
	// ID is the same whenever this is delivered: by it a receiver knows what it
	// has already.
	ID   string           `json:"id"`
	Type parley.HookEvent `json:"type"`
	// Project, Session and Seq say which entry it is of; Seq is 0 for a
	// session.started.
	Project parley.ProjectID `json:"project"`
	Session parley.SessionID `json:"session"`
	Seq     parley.Seq       `json:"seq"`
	At      api.Time         `json:"at"`
	// Started is set in a session.started, Entry in all others.
	Started *Started   `json:"started,omitempty"`
	Entry   *api.Entry `json:"entry,omitempty"`
	// Close numbers the closes of the session, in a session.closed or session.resolved.
	Close int `json:"close,omitempty"`
	// Data is what a rating, a review or an amendment says, such as a vote.
	Data json.RawMessage `json:"data,omitempty"`
	// Reason is why, for endpoints that get what is internal.
	Reason string `json:"reason,omitempty"`
}

// Started says whose session began, as that is known when it is delivered.
type Started struct {
	Channel  parley.Channel   `json:"channel"`
	Agent    parley.AgentID   `json:"agent,omitempty"`
	Language string           `json:"language,omitempty"`
	Visitor  parley.VisitorID `json:"visitor"`
	Contact  parley.ContactID `json:"contact,omitempty"`
	// Proven says that a signature named the contact.
	Proven bool `json:"proven"`
}

// DeliveryID derives the id of a webhook from whose it is. No secret goes into
// it, so that it stays the same when those are replaced.
func DeliveryID(p parley.ProjectID, h parley.HookID, s parley.SessionID, n parley.Seq) string {
	names, _ := json.Marshal([]any{p, h, s, n}) // strings and numbers always encode
	sum := sha256.Sum256(names)
	return "whd_" + base64.RawURLEncoding.EncodeToString(sum[:18])
}

// delivery is a webhook to be delivered.
type delivery struct {
	seq   parley.Seq
	at    int64 // milliseconds
	event parley.HookEvent
	entry parley.Entry // zero for a session.started
}

// deliveries returns the webhooks of a stretch in order, whether anybody wants
// them or not. What begins a session comes before its first entry.
func deliveries(s parley.Stretch) []delivery {
	var all []delivery
	if s.After == 0 {
		all = append(all, delivery{0, s.Session.Created, parley.HookStarted, parley.Entry{}})
	}
	for _, e := range s.Entries {
		all = append(all, delivery{e.Seq, e.At, e.HookEvent(), e})
	}
	return all
}

// body encodes a webhook for an endpoint.
func (w *worker) body(session *parley.Session, d delivery) ([]byte, error) {
	b := Body{ID: DeliveryID(w.Project, w.hook.ID, w.Session, d.seq), Type: d.event,
		Project: w.Project, Session: w.Session, Seq: d.seq, At: api.Time(d.at), Close: d.entry.Close}
	if d.event == parley.HookStarted {
		o := session.Owner
		b.Started = &Started{session.Channel, session.Agent, session.Language, o.Visitor, o.Contact, o.Proven}
	} else {
		entry := api.NewEntry(d.entry, func(id parley.FileID, name string) string {
			return api.FileURLAt(w.Files, w.Store, w.Project, id, name)
		})
		b.Entry = &entry
	}
	switch d.event {
	case parley.HookRated, parley.HookReviewed, parley.HookAmended:
		b.Data = d.entry.Data
	}
	if w.hook.Wants(parley.HookInternal) {
		b.Reason = d.entry.Reason
	}
	out, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("encode webhook: %w", err)
	}
	return out, nil
}

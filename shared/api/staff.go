package api

import (
	"encoding/json"

	"parley/shared/parley"
)

// StaffEntry is an entry as operators see it.
type StaffEntry struct {
	Entry
	Internal bool            `json:"internal"`
	Reason   string          `json:"reason,omitempty"`
	Data     json.RawMessage `json:"data,omitempty"`
}

// StaffSession is a session as operators see it.
type StaffSession struct {
	Session
	Number       parley.SessionNumber `json:"number"`
	Channel      parley.Channel       `json:"channel"`
	Archived     bool                 `json:"archived"`
	Operator     *parley.OperatorID   `json:"operator"`
	WaitingSince *Time                `json:"waitingSince"`
	LeftAt       *Time                `json:"leftAt"`
	Owner        staffOwner           `json:"owner"`
}

type staffOwner struct {
	Visitor    *parley.VisitorID `json:"visitor"`
	Contact    *parley.ContactID `json:"contact"`
	Proven     bool              `json:"proven"`
	ExternalID string            `json:"externalId,omitempty"`
}

// OrNull returns null for an empty id.
func OrNull[T ~string](id T) *T {
	if id == "" {
		return nil
	}
	return &id
}

// TimeOrNull returns null for 0, which means that there is no such time.
func TimeOrNull(ms int64) *Time {
	if ms == 0 {
		return nil
	}
	t := Time(ms)
	return &t
}

// NewStaffSession returns a session as operators see it.
func NewStaffSession(s *parley.Session) StaffSession {
	return StaffSession{Session: NewSession(s), Number: s.ID.Number(), Channel: s.Channel, Archived: s.Archived, Operator: OrNull(s.Operator),
		WaitingSince: TimeOrNull(s.WaitingSince), LeftAt: TimeOrNull(s.Left), Owner: staffOwner{OrNull(s.Owner.Visitor), OrNull(s.Owner.Contact), s.Owner.Proven, s.Owner.External}}
}

// NewStaffEntry adds to an entry, as visitors see it, what operators see besides.
func NewStaffEntry(out Entry, e parley.Entry) StaffEntry {
	return StaffEntry{out, e.Internal, e.Reason, e.Data}
}

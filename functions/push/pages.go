package push

import (
	"context"

	"parley/functions/feed"
	"parley/shared/live"
	"parley/shared/parley"
	"parley/shared/socket"
)

// Refusal asks for a client to be told why its connection is refused.
type Refusal struct {
	Channel parley.Channel `json:"channel"`
	Code    string         `json:"code"`
	Text    string         `json:"text"`
}

// MeetEvent asks for a connection that has just been made to be welcomed, and to be
// told what its client may have missed.
func MeetEvent(p parley.ProjectID, ref socket.Ref) Event { return Event{Project: p, Connection: &ref} }

// RefuseEvent asks for the client of a connection, which may belong to no project, to be
// told why it is refused.
func RefuseEvent(ref socket.Ref, ch parley.Channel, code, text string) Event {
	return Event{Connection: &ref, Refusal: &Refusal{ch, code, text}}
}

// PageBell returns a bell of the feed's that calls this function for the pages of
// visitors whose clients know everything by its id. Nobody looks whether there are any.
func PageBell(call func(context.Context, Event) error) feed.Bell {
	return func(ctx context.Context, c feed.Change) error {
		if c.Channel != parley.ChannelCossistant || c.Kind == feed.Erased || c.After == c.Upto && !c.Moved {
			return nil
		}
		w := live.Window{Project: c.Project, Session: c.Session, After: c.After, Upto: c.Upto, Moved: c.Moved && c.Kind != feed.Opened}
		return call(ctx, Event{Project: c.Project, Session: c.Session, Pages: &w})
	}
}

// connection does what an event asks for one connection.
func (c Config) connection(ctx context.Context, e Event) error {
	if e.Refusal != nil {
		return c.Live.Refuse(ctx, *e.Connection, e.Refusal.Channel, e.Refusal.Code, e.Refusal.Text)
	}
	return c.Live.Meet(ctx, *e.Connection)
}

package hooks

import (
	"context"
	"errors"

	"parley/functions/feed"
	"parley/shared/parley"
)

// Bell returns a bell of the feed's that calls this function for sessions of
// projects that have an endpoint. What a project has is cached, so that it takes
// no time where there is none.
func Bell(s *parley.Store, call func(context.Context, Event) error) feed.Bell {
	return func(ctx context.Context, c feed.Change) error {
		if c.Kind == feed.Erased {
			return nil
		}
		p, err := s.Project(ctx, c.Project)
		if errors.Is(err, parley.ErrNotFound) {
			return nil
		}
		if err != nil || !p.Hooked() {
			return err
		}
		return call(ctx, Event{Project: c.Project, Session: c.Session})
	}
}

// NotifyBell returns a bell of the feed's that calls this function for sessions
// in which a wait for a person begins, of projects whose people want to be told.
// Nothing else that happens in a session costs such a project anything.
func NotifyBell(s *parley.Store, call func(context.Context, Event) error) feed.Bell {
	return func(ctx context.Context, c feed.Change) error {
		if c.Kind == feed.Erased || !c.Waits {
			return nil
		}
		p, err := s.Project(ctx, c.Project)
		if errors.Is(err, parley.ErrNotFound) {
			return nil
		}
		if err != nil || len(p.Notify.Ways()) == 0 {
			return err
		}
		return call(ctx, Event{Project: c.Project, Session: c.Session, Follower: parley.FollowerNotify})
	}
}

// ReplyMailBell returns a bell of the feed's that calls this function for
// sessions in which a person's answer waits for a page. Only projects that have
// such answers mailed have any.
func ReplyMailBell(call func(context.Context, Event) error) feed.Bell {
	return func(ctx context.Context, c feed.Change) error {
		if c.Kind == feed.Erased || !c.Unmet {
			return nil
		}
		return call(ctx, Event{Project: c.Project, Session: c.Session, Follower: parley.FollowerReplyMail})
	}
}

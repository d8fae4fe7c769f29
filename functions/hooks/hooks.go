// Package hooks tells others what happens in sessions, in its order and at least
// once: webhooks to every endpoint that the project has, and to its people, by
// Slack and e-mail, who waits for one of them.
package hooks

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"parley/functions/internal/emf"
	"parley/shared/mail"
	"parley/shared/parley"
)

// Event asks for the webhooks of a session: to all endpoints of the project, or
// to the one that Follower names. That may also be one of those that tell who
// waits, or parley.FollowerNotify for all of these.
type Event struct {
	Project  parley.ProjectID `json:"project"`
	Session  parley.SessionID `json:"session"`
	Follower parley.Follower  `json:"follower,omitempty"`
}

// EventOf returns the event that wakes a follower.
func EventOf(f parley.Following) Event { return Event(f) }

// Does reports whether a follower is one of this function's.
func Does(f parley.Follower) bool {
	_, hook := parley.HookOf(f)
	_, _, way := parley.WayOf(f)
	return hook || way || f == parley.FollowerReplyMail
}

// Config is what the function needs; Store, Do and Files are required.
type Config struct {
	Store *parley.Store
	// Do asks a host that a customer named; outbound.Client.Do does. It bounds
	// the time that this takes by AttemptTime.
	Do func(*http.Request) (*http.Response, error)
	// Files is the base of the addresses of files, without a slash at its end.
	Files string
	// Console is the address of the console, without a slash at the end; where it is
	// "", messages to people have no link.
	Console string
	// Mail sends those that go by e-mail, from the address MailFrom; nil sends none.
	Mail     mail.Sender
	MailFrom string
	// Secret returns a secret of a project by its name: the address of a webhook of
	// Slack's. Nil has none.
	Secret func(ctx context.Context, p parley.ProjectID, name string) (string, error)
	// Metrics takes what was delivered, in CloudWatch's embedded format.
	Metrics emf.Log
	// Log takes a line an attempt; nil means slog.Default.
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Handler delivers. Every mark in the table says what an endpoint has already, so
// an event may come twice. An error means that an event has to come again: what
// an endpoint did not take is none, the sweep brings that back.
type Handler func(ctx context.Context, e Event) error

// New returns the function's handler.
func New(c Config) Handler {
	if c.Store == nil || c.Do == nil || c.Files == "" {
		panic("hooks: Store, Do and Files are required")
	}
	if c.Secret == nil {
		c.Secret = func(context.Context, parley.ProjectID, string) (string, error) {
			return "", errors.New("there are no secrets")
		}
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c.handle
}

func (c Config) handle(ctx context.Context, e Event) error {
	if e.Project == "" || e.Session == "" {
		return errors.New("hooks: the event names no session")
	}
	p, err := c.Store.Project(ctx, e.Project)
	if errors.Is(err, parley.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return c.follow(ctx, e, followers(p, e.Follower))
}

// followers are those that an event is for.
func followers(p *parley.Project, f parley.Follower) []parley.Follower {
	switch f {
	case parley.FollowerNotify:
		return p.Notify.Followers()
	case "":
		var all []parley.Follower
		for _, h := range p.Hooks {
			if !h.Disabled {
				all = append(all, h.ID.Follower())
			}
		}
		return all
	}
	return []parley.Follower{f}
}

// errand is what one follower does in a session.
type errand interface {
	// stretch does a stretch of the session's order; see parley.Store.Follow.
	stretch(ctx context.Context, s parley.Stretch) (parley.Seq, error)
	// done returns what became of what it had to do.
	done() tally
}

func (c Config) errand(f parley.Following) errand {
	if way, reminds, ok := parley.WayOf(f.Follower); ok {
		return &teller{Config: c, Following: f, way: way, reminds: reminds}
	}
	if f.Follower == parley.FollowerReplyMail {
		return &replyMailer{Config: c}
	}
	return &worker{Config: c, Following: f}
}

// follow has each follower's errand done beside the others', so that none waits
// for another's host.
func (c Config) follow(ctx context.Context, e Event, followers []parley.Follower) error {
	tallies := make([]tally, len(followers))
	errs := make([]error, len(followers))
	var all sync.WaitGroup
	for i, f := range followers {
		all.Go(func() {
			way := parley.Following{Project: e.Project, Session: e.Session, Follower: f}
			w := c.errand(way)
			errs[i] = ignoreLater(c.Store.Follow(ctx, way, w.stretch))
			tallies[i] = w.done()
		})
	}
	all.Wait()
	c.count(ctx, tallies)
	return errors.Join(errs...)
}

// ignoreLater takes what is to be tried again later for success: the sweep comes
// back to it.
func ignoreLater(err error) error {
	var later *parley.Later
	if errors.As(err, &later) && !errors.Is(err, parley.ErrUnavailable) {
		return nil
	}
	return err
}

// counts is what became of some: delivered, to be tried again, given up.
type counts struct{ delivered, retried, failed int }

func (c counts) plus(o counts) counts {
	return counts{c.delivered + o.delivered, c.retried + o.retried, c.failed + o.failed}
}

// tally is what became of webhooks, of messages to people, and of mails to visitors.
type tally struct{ webhooks, notices, replies counts }

// count writes the metrics. Some that are lost are no reason to deliver again.
func (c Config) count(ctx context.Context, all []tally) {
	var sum tally
	for _, t := range all {
		sum = tally{sum.webhooks.plus(t.webhooks), sum.notices.plus(t.notices), sum.replies.plus(t.replies)}
	}
	c.write(ctx, "Webhooks", sum.webhooks)
	c.write(ctx, "Notices", sum.notices)
	c.write(ctx, "ReplyMails", sum.replies)
}

func (c Config) write(ctx context.Context, what string, n counts) {
	if n == (counts{}) {
		return
	}
	metric := func(became string, n int) emf.Metric {
		return emf.Metric{Name: what + became, Unit: emf.Count, Value: float64(n)}
	}
	if err := c.Metrics.Put(c.Now(), nil, metric("Delivered", n.delivered), metric("Retried", n.retried), metric("Failed", n.failed)); err != nil {
		c.Log.ErrorContext(ctx, "metrics of "+what, "error", err)
	}
}

// Package review writes a review of every session that closed, one for each
// close: what the visitor wanted, whether they got it, how they felt. It follows
// the session's entries and stores how far it has got, so it continues wherever
// it failed.
package review

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"parley/functions/feed"
	"parley/shared/agent"
	"parley/shared/parley"
	"parley/shared/run"
)

// Event names the session that has closed.
type Event struct {
	Project parley.ProjectID `json:"project"`
	Session parley.SessionID `json:"session"`
}

// EventOf returns the event that makes the function continue.
func EventOf(f parley.Following) Event { return Event{f.Project, f.Session} }

// Config is what the function needs; Store and Agent are required.
type Config struct {
	Store *parley.Store
	// Agent returns the agent for given settings. If that is no agent.Reviewer,
	// the review consists of quotations.
	Agent func(p *parley.Project, a parley.AgentSettings) (agent.Agent, error)
	// Log takes why a review failed; nil means slog.Default.
	Log *slog.Logger
}

// Limits, our choices.
const (
	// Tries is how often a model is asked for one review, at growing intervals;
	// after that the review consists of quotations.
	Tries = 3
	// Turns is how many of the newest messages are reviewed.
	Turns = 60
	// askTime limits one request to the model; parley.FollowTime leaves time to
	// store the result.
	askTime = 35 * time.Second
)

// Handler reviews the closes of a session that have no review yet. An error
// means that not even the retry could be scheduled, and that the event must be
// delivered again. Any other failure is logged, and the sweep retries.
type Handler func(ctx context.Context, e Event) error

// New returns the function's handler.
func New(c Config) Handler {
	if c.Store == nil || c.Agent == nil {
		panic("review: Store and Agent are required")
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c.handle
}

// Bell returns the feed.Bell that has a session reviewed when a close has become
// final.
func Bell(call func(ctx context.Context, e Event) error) feed.Bell {
	return func(ctx context.Context, c feed.Change) error {
		if !c.Closed || c.Kind == feed.Erased {
			return nil
		}
		return call(ctx, Event{c.Project, c.Session})
	}
}

func (c Config) handle(ctx context.Context, e Event) error {
	if e.Project == "" || e.Session == "" {
		return errors.New("review: the event names no session")
	}
	err := c.Store.Follow(ctx, parley.Following{Project: e.Project, Session: e.Session, Follower: parley.FollowerReview}, c.follow)
	var modelErr *failure
	if errors.As(err, &modelErr) && !errors.Is(err, parley.ErrUnavailable) {
		c.Log.LogAttrs(ctx, slog.LevelWarn, "review", slog.String("project", string(e.Project)), slog.String("error", modelErr.Error()))
		return nil
	}
	return err
}

// failure is an error of the model, which may go away with another try.
type failure struct{ error }

func (f *failure) Unwrap() error { return f.error }

func (c Config) follow(ctx context.Context, s parley.Stretch) (parley.Seq, error) {
	upto := s.After
	for _, e := range s.Entries {
		if e.Close > 0 && e.Event != parley.EventReviewed {
			if err := c.close(ctx, s, e); err != nil {
				return upto, err
			}
		}
		upto = e.Seq
	}
	return upto, nil
}

// close reviews one close, unless the session has been reopened meanwhile.
func (c Config) close(ctx context.Context, s parley.Stretch, e parley.Entry) error {
	session := s.Session
	if !session.Over() || session.Closes != e.Close {
		return nil
	}
	p, err := c.Store.Project(ctx, session.Project)
	if err != nil || p.Reviews.Disabled {
		return err
	}
	if done, err := c.Store.HasReview(ctx, p.ID, session.ID, e.Close); err != nil || done {
		return err
	}
	said, err := c.Store.Said(ctx, p.ID, session.ID, e.Seq, Turns)
	if err != nil {
		return err
	}
	settings, err := p.Answering(session)
	if err != nil {
		return err
	}
	t := transcript(p, settings, said)
	found, quoted, err := c.review(ctx, p, settings, t)
	if err != nil && s.Tries+1 < Tries {
		return &failure{err}
	}
	if err != nil {
		c.Log.LogAttrs(ctx, slog.LevelError, "review given up, quoted instead", slog.String("project", string(p.ID)), slog.String("error", err.Error()))
		found, quoted = agent.Extract(t), true
	}
	if e.Event == parley.EventResolved { // a person said so
		found.Outcome = agent.Resolved
	}
	return c.Store.PutReview(ctx, p.ID, session.ID, parley.Review{Close: e.Close, Summary: found.Summary, Outcome: string(found.Outcome),
		Sentiment: string(found.Sentiment), Tags: found.Tags, Agent: settings.ID, Quoted: quoted})
}

func transcript(p *parley.Project, settings parley.AgentSettings, said []parley.Entry) agent.Transcript {
	t := agent.Transcript{Model: settings.Model, Language: p.Language, Tags: p.Reviews.Tags}
	if t.Language == "" {
		t.Language = "en"
	}
	for _, e := range said {
		for _, shown := range e.Greeting {
			t.Turns = append(t.Turns, agent.Turn{Role: agent.Shown, Text: shown.Text, At: e.Time()})
		}
		if turn, ok := run.TurnOf(e); ok {
			t.Turns = append(t.Turns, turn)
		}
	}
	return t
}

// review asks the agent for a review, within the project's budget. If the budget
// is spent, or the agent cannot judge, the review consists of quotations.
func (c Config) review(ctx context.Context, p *parley.Project, settings parley.AgentSettings, t agent.Transcript) (r agent.Review, quoted bool, err error) {
	who, err := c.Agent(p, settings)
	if err != nil {
		return agent.Review{}, false, err
	}
	reviewer, ok := who.(agent.Reviewer)
	if !ok || !spoke(t) {
		return agent.Extract(t), true, nil
	}
	tokens := agent.EstimateReview(t)
	reserved, err := c.Store.ReserveReview(ctx, p, int64(tokens))
	if errors.Is(err, parley.ErrLimit) {
		return agent.Extract(t), true, nil
	}
	if err != nil {
		return agent.Review{}, false, err
	}
	ask, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	r, err = reviewer.Review(ask, t)
	used := r.Usage.Input + r.Usage.Output
	if err != nil && used == 0 {
		used = tokens // unknown: assume that it cost all that was reserved
	}
	reserved.Release(int64(used))
	return r, r.Sentiment == agent.SentimentUnknown, err
}

// spoke reports whether the visitor said anything that could be judged.
func spoke(t agent.Transcript) bool {
	for _, turn := range t.Turns {
		if turn.Role == agent.Visitor && turn.Text != "" {
			return true
		}
	}
	return false
}

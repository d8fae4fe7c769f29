package parley

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"parley/shared/table"
)

// Review is what was found of a session when it closed.
type Review struct {
	// Close is the number of the close that it is of; see Session.Closes.
	Close int   `json:"close"`
	At    int64 `json:"at"` // milliseconds
	// Summary is one line of at most agent.MaxSummaryBytes; "" if nothing was said.
	Summary string `json:"summary"`
	// Outcome is "resolved", "unresolved" or "unknown", Sentiment "positive",
	// "neutral", "negative" or "unknown".
	Outcome   string   `json:"outcome"`
	Sentiment string   `json:"sentiment"`
	Tags      []string `json:"tags,omitempty"`
	// Agent is whose model was asked. Quoted says that none was, or none
	// answered: the summary is a quotation, and nothing was judged.
	Agent  AgentID `json:"agent,omitempty"`
	Quoted bool    `json:"quoted,omitempty"`
}

// ReviewSettings says whether and how sessions are reviewed that close.
type ReviewSettings struct {
	Disabled bool `json:"disabled,omitempty"`
	// Tags are those to choose from, at most MaxReviewTags; none leaves the choice free.
	Tags []string `json:"tags,omitempty"`
}

// Limits of what a review may choose from. Our choices.
const (
	// MaxReviewTags is how many tags a project lists, MaxReviewTagBytes the longest.
	MaxReviewTags     = 50
	MaxReviewTagBytes = 40
)

func (r ReviewSettings) check() error {
	if len(r.Tags) > MaxReviewTags {
		return invalid("reviews", "a project lists at most %d tags", MaxReviewTags)
	}
	for i, tag := range r.Tags {
		if err := CheckID("reviews", tag); err != nil {
			return err
		}
		if len(tag) > MaxReviewTagBytes || slices.Contains(r.Tags[:i], tag) {
			return invalid("reviews", "tags have at most %d bytes and differ", MaxReviewTagBytes)
		}
	}
	return nil
}

// reviewDue is how long after a close the sweep sees to its review, if nobody
// else has until then.
const reviewDue = time.Minute

// followUp has the sweep wake a follower at a time, whatever else does. Whoever
// works on its mark meanwhile looks once more.
func (c *change) followUp(who Follower, at time.Time) {
	up := table.Set(Following{c.project.ID, c.session.ID, who}.key(), table.Item{"again": true})
	setDue(up.Set, at, c.project.ID, string(c.session.ID))
	c.act(up, nil)
}

// PutReview stores the review of a close and tells of it in the session's
// order, where operators see it. A close that has a review keeps it. ErrNotFound
// if the session is gone.
func (s *Store) PutReview(ctx context.Context, project ProjectID, id SessionID, r Review) error {
	p, err := s.Project(ctx, project)
	if err != nil {
		return err
	}
	session, err := s.head(ctx, project, id)
	if err != nil {
		return err
	}
	_, err = s.change(ctx, p, session, func(c *change) error {
		r.At = c.now.UnixMilli()
		item, err := record(reviewKey(project, id, r.Close), "review", r, table.Item{"nonce": c.nonce})
		if err != nil {
			return err
		}
		c.act(table.Put(item, table.Absent()), func(table.Item) error { return errReviewed })
		return c.add(&Entry{Event: EventReviewed, Author: Author{Kind: AuthorSystem}, Internal: true, Close: r.Close,
			Data: json.RawMessage(item.String("data"))})
	})
	if errors.Is(err, errReviewed) {
		return nil
	}
	return err
}

var errReviewed = errors.New("the close has a review")

// HasReview reports whether a close has been reviewed.
func (s *Store) HasReview(ctx context.Context, p ProjectID, id SessionID, close int) (bool, error) {
	item, err := s.get(ctx, true, reviewKey(p, id, close))
	return item != nil, err
}

// Reviews returns the reviews of a session, newest first, at most MaxPage. It is
// for the project's people only.
func (s *Store) Reviews(ctx context.Context, c Caller, id SessionID) ([]Review, error) {
	if !c.staff() {
		return nil, errOperatorsOnly()
	}
	if _, err := s.open(ctx, c, id, false); err != nil {
		return nil, err
	}
	return s.reviews(ctx, c.Project, id, MaxPage)
}

// reviews returns the newest n reviews of a session, newest first.
func (s *Store) reviews(ctx context.Context, p ProjectID, id SessionID, n int) ([]Review, error) {
	page, err := s.table.Query(ctx, table.Query{Partition: sessionPK(p, id), From: "review/", To: "review/~",
		Descending: true, Limit: n})
	if err != nil {
		return nil, unavailable(err)
	}
	return decodeAll(page.Items, func(item table.Item) (r Review, err error) {
		err = decode(item, "review", &r)
		return r, err
	})
}

// Said returns the newest public messages of a session up to an entry, oldest
// first, at most n.
func (s *Store) Said(ctx context.Context, p ProjectID, id SessionID, upto Seq, n int) ([]Entry, error) {
	entries, err := s.downFrom(ctx, p, id, upto, n, func(e Entry) bool { return e.IsMessage() && !e.Internal })
	slices.Reverse(entries)
	return entries, err
}

package parley

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"parley/shared/table"
)

// Rating is the CSAT score of a session.
type Rating struct {
	Score    int    `json:"score"` // 1 to 5
	Feedback string `json:"feedback,omitempty"`
	At       int64  `json:"at"` // milliseconds
}

// Limits of a rating. The feedback's is our choice.
const (
	MinScore         = 1
	MaxScore         = 5
	MaxFeedbackBytes = 4000
)

// RateRequest is a rating as it is given.
type RateRequest struct {
	// ID is the client's id of the rating, unique in the project, or "". The same
	// id again changes nothing, whatever came after it.
	ID       EntryID
	Score    int
	Feedback string
}

func (r RateRequest) check() error {
	switch {
	case r.Score < MinScore || r.Score > MaxScore:
		return invalid("score", "score is %d to %d", MinScore, MaxScore)
	case exceeds(r.Feedback, MaxFeedbackBytes):
		return tooLarge("feedback", MaxFeedbackBytes)
	case !utf8.ValidString(r.Feedback):
		return invalid("feedback", "feedback is not UTF-8")
	case r.ID != "":
		return CheckID("id", string(r.ID))
	}
	return nil
}

func (r RateRequest) hash(session SessionID) string {
	return hashOf(session, "rating", r.Score, r.Feedback)
}

// Rate gives a session its rating, or replaces it. The totals of the day change
// in the same transaction. changes_limit, of kind ErrLimit, if the visitor replaces
// too often.
func (s *Store) Rate(ctx context.Context, c Caller, id SessionID, score int, feedback string) (Rating, error) {
	return s.RateOnce(ctx, c, id, RateRequest{Score: score, Feedback: feedback})
}

// RateOnce is Rate for a client that names its rating and may send it again.
// message_id_conflict, of kind ErrConflict, if the id stands for something else.
func (s *Store) RateOnce(ctx context.Context, c Caller, id SessionID, r RateRequest) (Rating, error) {
	if err := r.check(); err != nil {
		return Rating{}, err
	}
	p, err := s.Project(ctx, c.Project)
	if err != nil {
		return Rating{}, err
	}
	if p.CSAT == CSATOff {
		return Rating{}, denied("csat_off", "this project takes no ratings")
	}
	session, err := s.open(ctx, c, id, true)
	if err != nil {
		return Rating{}, err
	}
	paced := false
	spent := &spending{store: s, project: p, caller: c}
	return againFor(func() (Rating, error) {
		old, err := s.rating(ctx, c.Project, id)
		if err != nil {
			return Rating{}, err
		}
		if old != nil && !paced {
			if r.ID != "" {
				if again, err := s.rated(ctx, p, id, r); !errors.Is(err, ErrNotFound) {
					return again, err
				}
			}
			if err := s.takeChange(ctx, c); err != nil {
				return Rating{}, err
			}
			paced = true
		}
		rating, err := s.replaceRating(ctx, spent, session, old, r)
		if errors.Is(err, errReplay) {
			return s.rated(ctx, p, id, r)
		}
		if errors.Is(err, errRaced) {
			stands, headErr := s.head(ctx, p.ID, id)
			session = stands
			return Rating{}, cmp.Or(headErr, err)
		}
		spent.count(ctx, err)
		return rating, err
	})
}

// CSATOff takes no ratings.
const CSATOff CSATPolicy = "off"

// errRaced says that another rating was faster.
var errRaced = fmt.Errorf("%w: another rating was faster", table.ErrNotDone)

func (s *Store) replaceRating(ctx context.Context, spent *spending, session *Session, old *Rating, request RateRequest) (Rating, error) {
	c := spent.caller
	r := Rating{Score: request.Score, Feedback: request.Feedback}
	_, err := s.change(ctx, spent.project, session, func(ch *change) error {
		data := encodePlain(GivenRating{r.Score, r.Feedback})
		entry := Entry{ID: request.ID, Event: EventRated, Author: c.Author(), Data: data}
		if err := ch.add(&entry); err != nil {
			return err
		}
		if request.ID != "" {
			if err := ch.pointAt(entry, request.hash(session.ID)); err != nil {
				return err
			}
		}
		r.At = ch.session.At
		ch.session.Score = r.Score
		if err := ch.rate(old, &r); err != nil {
			return err
		}
		return spent.guard(ch)
	})
	return r, err
}

// GivenRating is what the Data of an EventRated entry says.
type GivenRating struct {
	Score    int    `json:"score"`
	Feedback string `json:"feedback,omitempty"`
}

// pointAt stores the pointer of an entry's client id; errReplay if it stands.
func (c *change) pointAt(e Entry, hash string) error {
	pointer := LogEntry{By: c.nonce, Kind: LogNone, At: c.now.UnixMilli(), Session: c.session.ID, Seq: e.Seq, Of: e.ID, Hash: hash}
	item, err := pointer.item(c.project.ID, RunID(e.ID))
	if err != nil {
		return err
	}
	c.act(table.Put(item, table.Absent()), func(table.Item) error { return errReplay })
	return nil
}

// rated is the outcome of a rating whose id is known.
func (s *Store) rated(ctx context.Context, p *Project, id SessionID, r RateRequest) (Rating, error) {
	first, err := s.known(ctx, p.ID, r.ID, id, r.hash(id))
	return Rating{Score: r.Score, Feedback: r.Feedback, At: first.At}, err
}

// rate replaces the session's rating and keeps the days' totals equal to the
// sum of all ratings. A nil now takes the rating away.
func (c *change) rate(old, now *Rating) error {
	k := ratingKey(c.project.ID, c.session.ID)
	condition := table.Absent()
	totals := map[string]map[string]int64{}
	count := func(r *Rating, by int64) {
		day := dayOf(r.At)
		if totals[day] == nil {
			totals[day] = map[string]int64{}
		}
		totals[day][totalScore(r.Score)] += by
	}
	if old != nil {
		condition = table.Equal("at", old.At)
		count(old, -1)
	}
	raced := func(table.Item) error { return errRaced }
	if now == nil {
		c.act(table.Delete(k, condition), raced)
	} else {
		count(now, 1)
		item, err := record(k, "rating", now, table.Item{"at": now.At, "wp": ratingsPartition(c.project.ID),
			"ws": timeAndSession(time.UnixMilli(now.At), c.session.ID)})
		if err != nil {
			return err
		}
		c.act(table.Put(item, condition), raced)
	}
	for day, add := range totals {
		c.act(table.Add(totalsKey(c.project.ID, day), add), nil)
	}
	return nil
}

// rating returns a session's rating, nil if it has none.
func (s *Store) rating(ctx context.Context, p ProjectID, id SessionID) (*Rating, error) {
	return read(ctx, s, true, ratingKey(p, id), ratingFrom)
}

// Rating returns the rating of a session that the caller may use; nil without
// an error if it has none.
func (s *Store) Rating(ctx context.Context, c Caller, id SessionID) (*Rating, error) {
	if _, err := s.open(ctx, c, id, false); err != nil {
		return nil, err
	}
	return s.rating(ctx, c.Project, id)
}

// Totals counts the ratings that stand, by score, of those given on one day of UTC.
type Totals [MaxScore + 1]int64

// Totals returns the totals of a day.
func (s *Store) Totals(ctx context.Context, p ProjectID, day time.Time) (Totals, error) {
	var f Figures
	item, err := s.get(ctx, true, totalsKey(p, dayOf(day.UnixMilli())))
	f.read(item)
	return f.Ratings, err
}

// ratingFrom returns the rating of an item, nil for nil.
func ratingFrom(item table.Item) (r *Rating, err error) {
	if item != nil {
		r = new(Rating)
		err = decode(item, "rating", r)
	}
	return r, err
}

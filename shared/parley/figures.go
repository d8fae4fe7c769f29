package parley

import (
	"context"
	"fmt"
	"time"

	"parley/shared/table"
)

// Figures are what a project counts of one day of UTC, or of several together.
//
// Ratings and answers are counted in the transaction that stores them, so they
// are exact at every moment. A session is counted by the sweep when it first
// looks at it, within two minutes of the first message that an agent is asked to
// answer: exactly once, under the day on which the session began. Counted when
// it begins, all of a project's sessions would meet at one item of the table.
type Figures struct {
	// Day is the day, like 2026-10-16; "" for several.
	Day      string
	Sessions int64
	// Ratings are the ratings that stand, by score, under the day they were given.
	Ratings Totals
	Answers Answers
}

// Answers are first messages of humans after one was asked for, under the day
// of the message.
type Answers struct {
	Count int64
	// Waited is the time from asking to the message, of all together.
	Waited time.Duration
	// Within counts those that took no longer than each of AnswerTimes.
	Within [len(AnswerTimes)]int64
}

// AnswerTimes are the waiting times that Answers distinguish.
var AnswerTimes = [...]time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}

// MaxFigureDays is how many days may be asked for at once: a quarter. Our choice,
// within the 100 items of one read.
const MaxFigureDays = 92

// Names of the totals beside the scores.
const (
	totalSessions = "sessions"
	totalAnswers  = "answers"
	totalWaited   = "waited" // milliseconds
)

// dayOf names the day of UTC of a time in milliseconds, like 2026-10-16.
func dayOf(at int64) string { return time.UnixMilli(at).UTC().Format(time.DateOnly) }

func totalWithin(i int) string { return fmt.Sprintf("within%d", int(AnswerTimes[i]/time.Second)) }

func totalScore(score int) string { return fmt.Sprintf("score%d", score) }

// answered counts a human's first message after one was asked for.
func (c *change) answered() {
	if c.session.WaitingSince == 0 {
		return
	}
	now := c.session.At // the message's
	waited := time.Duration(max(0, now-c.session.WaitingSince)) * time.Millisecond
	c.session.WaitingSince = 0
	up := table.Add(totalsKey(c.project.ID, dayOf(now)), map[string]int64{totalAnswers: 1, totalWaited: waited.Milliseconds()})
	for i, atMost := range AnswerTimes {
		if waited <= atMost {
			up.Add[totalWithin(i)] = 1
		}
	}
	c.act(up, nil)
}

// count puts a session into the totals of the day on which it began, once. The
// mark that says so goes with the session when it is erased; what was counted stays.
func (s *Store) count(ctx context.Context, session *Session) error {
	mark := countedKey(session.Project, session.ID)
	item, err := s.get(ctx, false, mark)
	if err != nil || item != nil {
		return err
	}
	up := table.Add(totalsKey(session.Project, dayOf(session.Created)), map[string]int64{totalSessions: 1})
	return unrefused(s.write(ctx, table.Put(mark.With(table.Item{"nonce": s.newID()}), table.Absent()), // or it was erased
		checkThere(session.Project, session.ID), up))
}

// Figures returns the figures of each day from one to another, both included.
func (s *Store) Figures(ctx context.Context, c Caller, from, to time.Time) ([]Figures, error) {
	if !c.staff() {
		return nil, errOperatorsOnly()
	}
	first, last := day(from), day(to)
	switch {
	case last < first:
		return nil, invalid("from", "from is later than to")
	case last-first >= MaxFigureDays:
		return nil, invalid("from", "at most %d days can be asked for", MaxFigureDays)
	}
	var all []Figures
	var keys []table.Key
	for d := first; d <= last; d++ {
		name := time.Unix(d*86400, 0).UTC().Format(time.DateOnly)
		all = append(all, Figures{Day: name})
		keys = append(keys, totalsKey(c.Project, name))
	}
	items, err := s.table.Get(ctx, true, keys...)
	if err != nil {
		return nil, unavailable(err)
	}
	for i, item := range items {
		all[i].read(item)
	}
	return all, nil
}

func (f *Figures) read(item table.Item) {
	f.Sessions = item.Int(totalSessions)
	for score := MinScore; score <= MaxScore; score++ {
		f.Ratings[score] = item.Int(totalScore(score))
	}
	f.Answers.Count, f.Answers.Waited = item.Int(totalAnswers), time.Duration(item.Int(totalWaited))*time.Millisecond
	for i := range AnswerTimes {
		f.Answers.Within[i] = item.Int(totalWithin(i))
	}
}

// Sum returns the figures of all days together.
func Sum(days []Figures) Figures {
	var sum Figures
	for _, d := range days {
		sum.Sessions += d.Sessions
		for score, n := range d.Ratings {
			sum.Ratings[score] += n
		}
		sum.Answers.Count += d.Answers.Count
		sum.Answers.Waited += d.Answers.Waited
		for i, n := range d.Answers.Within {
			sum.Answers.Within[i] += n
		}
	}
	return sum
}

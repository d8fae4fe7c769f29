package parley

import (
	"context"

	"parley/shared/table"
)

// PageMark is what a dialect notes of the page that shows a session: a few numbers
// and flags under names of the dialect's own, which mean nothing here. It is read
// along with the session, and goes when that is erased.
type PageMark struct {
	project ProjectID
	session SessionID
	noted   table.Item
	stands  bool // in the table
}

// Number returns what is noted under a name; 0 where nothing is.
func (m PageMark) Number(name string) int64 { return m.noted.Int(name) }

// Flag reports whether a flag is set.
func (m PageMark) Flag(name string) bool { return m.noted.Bool(name) }

// PageChange changes a page mark, or nothing of it if a condition does not hold.
type PageChange struct {
	// Same are the numbers that have to be these, Below those that have to be lower
	// than these: conditions. A number that is not noted is 0.
	Same, Below map[string]int64
	// Set replaces numbers, and Add adds to them.
	Set, Add map[string]int64
	// Flag sets flags, or takes them away.
	Flag map[string]bool
}

func pageMarkKey(p ProjectID, id SessionID) table.Key { return markKey(p, id, "page", "") }

// OpenPage returns a session that the caller may use, and its page mark, in one
// wave of reads. It is a sign of the page.
func (s *Store) OpenPage(ctx context.Context, c Caller, id SessionID) (*Session, PageMark, error) {
	session, mark, err := s.PeekPage(ctx, c, id, true)
	if err == nil && !c.staff() {
		session, err = s.wake(ctx, session)
	}
	return session, mark, err
}

// PeekPage is OpenPage without being a sign of the page. What is read inconsistently
// may be a moment old, at half the cost.
func (s *Store) PeekPage(ctx context.Context, c Caller, id SessionID, consistent bool) (*Session, PageMark, error) {
	session, items, err := s.openBeside(ctx, c, id, consistent, pageMarkKey(c.Project, id))
	if err != nil {
		return nil, PageMark{}, err
	}
	return session, PageMark{project: c.Project, session: id, noted: items[0], stands: items[0] != nil}, nil
}

// ChangePage changes a page mark as it stands in the table; m only learns that there
// is one and, where a condition refused the change, what it says. A refusal, also one
// because the session has been erased, is no error: there is nothing to change any more.
func (s *Store) ChangePage(ctx context.Context, m *PageMark, ch PageChange) error {
	up := ch.update(pageMarkKey(m.project, m.session))
	err := s.write(ctx, inSession(up, m.stands, m.project, m.session)...)
	if stood, is := standing(err, 0); is && stood != nil {
		m.noted, m.stands = stood, true
	}
	m.stands = m.stands || err == nil
	return unrefused(err)
}

func (ch PageChange) update(key table.Key) table.Action {
	up := table.Update(key)
	for name, n := range ch.Same {
		if n == 0 {
			up.If = append(up.If, table.EqualOrMissing(name, n))
		} else {
			up.If = append(up.If, table.Equal(name, n))
		}
	}
	for name, n := range ch.Below {
		up.If = append(up.If, table.AtMost(name, n-1))
	}
	up.Set, up.Add = table.Item{}, ch.Add
	for name, n := range ch.Set {
		up.Set[name] = n
	}
	for name, on := range ch.Flag {
		if on {
			up.Set[name] = true
		} else {
			up.Remove = append(up.Remove, name)
		}
	}
	return up
}

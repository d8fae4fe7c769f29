package parley

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"parley/shared/table"
)

// SessionNumber is what people call a session by, who read it out to one another: twelve
// digits, the first of them no zero. It follows from the session's id and is stored
// nowhere; nobody gets from it to the id, which may be a credential. Two sessions of
// a project may have the same: of 10,000 with a chance of 1 in 18,000, of 100,000 of
// 1 in 180. Whoever looks a number up gets both.
type SessionNumber int64

// The numbers: as many digits as are said in three groups of four.
const (
	firstNumber SessionNumber = 100_000_000_000
	lastNumber  SessionNumber = 999_999_999_999
)

// Number returns the number of the session with this id.
func (id SessionID) Number() SessionNumber {
	sum := sha256.Sum256([]byte("number\x00" + string(id)))
	return firstNumber + SessionNumber(binary.BigEndian.Uint64(sum[:8])%uint64(lastNumber-firstNumber+1))
}

// MaxNumberLook is how many sessions of one state and holder are looked through for a
// number, from the one with the newest activity on. Looking at so many costs some
// 150 read units, eventually consistent, since an entry of the index is about 120
// bytes. Our choice.
const MaxNumberLook = 10_000

// ByNumber returns the sessions that have a number, newest activity first, as the
// inbox has them: usually one. It looks through what people are busy with first and
// stops at the first state in which there is one.
func (s *Store) ByNumber(ctx context.Context, c Caller, n SessionNumber) ([]InboxItem, error) {
	if !c.staff() {
		return nil, errOperatorsOnly()
	}
	if n < firstNumber || n > lastNumber {
		return nil, invalid("number", "a number has twelve digits")
	}
	p, err := s.Project(ctx, c.Project)
	if err != nil {
		return nil, err
	}
	for _, state := range []State{StateOpen, StateClosed, StateResolved, listArchived, StateSpam} {
		var ids []SessionID
		for _, holder := range []Holder{HolderWaiting, HolderHuman, HolderAI} {
			for shard := range p.shards() {
				found, err := s.numbersIn(ctx, inboxPartition(p.ID, state, holder, shard), n)
				if err != nil {
					return nil, err
				}
				ids = append(ids, found...)
			}
		}
		sessions, err := s.heads(ctx, p.ID, ids)
		if err != nil {
			return nil, err
		}
		if len(sessions) > 0 {
			slices.SortFunc(sessions, func(a, b *Session) int { return int(b.At - a.At) })
			return s.inboxItems(ctx, c, sessions)
		}
	}
	return nil, nil
}

// numbersIn looks through one partition of the index, which names its sessions.
func (s *Store) numbersIn(ctx context.Context, partition string, n SessionNumber) (ids []SessionID, err error) {
	_, sort := table.Work.Keys()
	looked := 0
	q := table.Query{Index: table.Work, Partition: partition, Descending: true, Limit: table.MaxLimit}
	for page, err := range s.pages(ctx, q) {
		if err != nil {
			return nil, err
		}
		for _, item := range page.Items {
			if _, id, ok := splitTimeAndSession(item.String(sort)); ok && id.Number() == n {
				ids = append(ids, id)
			}
		}
		if looked += len(page.Items); looked >= MaxNumberLook {
			break
		}
	}
	return ids, nil
}

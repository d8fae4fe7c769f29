package parley

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"parley/shared/table"
)

// Swept counts what one sweep did.
type Swept struct {
	Looked, Revived, Woken, Jobs, Failed int
}

// SweepHelp does what the sweep finds and does not do itself.
type SweepHelp struct {
	// Revive has a run generated, or ended, that nobody works on.
	Revive func(context.Context, RunRef) error
	// Wake has Follow called for a follower; it need not wait for that.
	Wake func(context.Context, Following) error
}

// maxSweepMinutes bounds how far one sweep catches up after an outage; the
// next one goes on from there.
const maxSweepMinutes = 240

// firstSweepMinutes is how far back the first sweep of a deployment looks.
const firstSweepMinutes = 30

// Sweep does everything that has become due: it settles closes, moves claimed
// sessions, erases, removes unused files, and has runs revived that nobody
// generates and followers woken that have failed or died. It may run at the same
// time as another sweep. What fails is due again a minute later.
func (s *Store) Sweep(ctx context.Context, help SweepHelp) (Swept, error) {
	now := minuteOf(s.clock())
	swept, err := s.get(ctx, true, sweepKey())
	if err != nil {
		return Swept{}, err
	}
	from := now - firstSweepMinutes
	if swept != nil {
		// The last two minutes are read again: the index may have lagged.
		from = min(swept.Int("minute"), now) - 1
	}
	to := min(now, from+maxSweepMinutes)
	w := sweep{store: s, help: help, seen: map[table.Key]bool{}}
	for minute := from; minute <= to; minute++ {
		for shard := range dueShards {
			if err := w.minute(ctx, minute, shard); err != nil {
				return w.swept, err
			}
		}
	}
	// Refused, another sweep has looked further meanwhile.
	return w.swept, unrefused(s.write(ctx, table.Put(sweepKey().With(table.Item{"minute": to}), table.AtMost("minute", to))))
}

type sweep struct {
	store *Store
	help  SweepHelp
	seen  map[table.Key]bool
	swept Swept
}

func (w *sweep) minute(ctx context.Context, minute int64, shard int) error {
	q := table.Query{Index: table.Work, Partition: duePartition(minute, shard), To: stamp(w.store.clock()) + "/~", Limit: 100}
	for item, err := range w.store.items(ctx, q) {
		if err != nil {
			return err
		}
		if w.seen[item.Key()] {
			continue
		}
		w.seen[item.Key()] = true
		if err := w.do(ctx, item); err != nil {
			return err
		}
	}
	return nil
}

// do does one due thing. An error means that it could not even be put off.
func (w *sweep) do(ctx context.Context, item table.Item) error {
	project, id, err := dueNames(item.String("ws"))
	if err != nil {
		return err
	}
	kind, _, _ := strings.Cut(strings.TrimPrefix(item.String(table.PK), escape(string(project))+"/"), "/")
	var again time.Time
	switch key := item.Key(); {
	case kind == "run", key.SK == "job/look":
		w.swept.Looked++
		again, err = w.look(ctx, project, SessionID(id))
	case kind == "session" && strings.HasPrefix(key.SK, "mark/"):
		w.swept.Woken++
		again, err = w.wake(ctx, project, SessionID(id), key)
	default:
		w.swept.Jobs++
		err = w.job(ctx, project, id, kind, key)
	}
	if err != nil {
		w.swept.Failed++
		again = w.store.clock().Add(time.Minute)
	}
	return w.after(ctx, project, id, kind, item, again)
}

// dueNames undoes dueSort.
func dueNames(sort string) (ProjectID, string, error) {
	parts := strings.Split(sort, "/")
	if len(parts) == 3 {
		p, ok1 := unescape(parts[1])
		id, ok2 := unescape(parts[2])
		if ok1 && ok2 {
			return ProjectID(p), id, nil
		}
	}
	return "", "", errNoName
}

func (w *sweep) look(ctx context.Context, p ProjectID, id SessionID) (time.Time, error) {
	dead, again, err := w.store.Look(ctx, p, id)
	if err != nil || dead.Run == "" {
		return again, err
	}
	w.swept.Revived++
	return again, w.help.Revive(ctx, dead)
}

// wake has a follower woken. Until that has taken the lease, or found nothing to
// do, it is woken again.
func (w *sweep) wake(ctx context.Context, p ProjectID, id SessionID, key table.Key) (time.Time, error) {
	follower, ok := followerOf(key)
	if !ok {
		return time.Time{}, errNoName
	}
	if w.help.Wake == nil {
		return time.Time{}, fmt.Errorf("nobody wakes the follower %q", follower)
	}
	return w.store.clock().Add(FollowLease), w.help.Wake(ctx, Following{p, id, follower})
}

func (w *sweep) job(ctx context.Context, project ProjectID, id, kind string, key table.Key) error {
	s := w.store
	switch {
	case kind == "session" && key.SK == "job/erase":
		return s.eraseContent(ctx, project, SessionID(id))
	case kind == "file":
		return s.dropFile(ctx, project, FileID(id))
	case kind == "visitor" && key.SK == skErase:
		return s.eraseVisitor(ctx, project, VisitorID(id))
	case kind == "contact" && key.SK == skErase:
		return s.eraseContact(ctx, project, ContactID(id))
	case kind == "visitor":
		return s.claim(ctx, project, VisitorID(id), key)
	case kind == "contact":
		return s.blockAll(ctx, project, ContactID(id), key)
	}
	return fmt.Errorf("nobody knows the job %q", key.SK)
}

// claim carries on with the job that moves a visitor's sessions to its contact.
func (s *Store) claim(ctx context.Context, project ProjectID, v VisitorID, job table.Key) error {
	p, err := s.Project(ctx, project)
	if errors.Is(err, ErrNotFound) {
		return s.write(ctx, table.Delete(job))
	}
	if err != nil {
		return err
	}
	item, err := s.get(ctx, true, job)
	if err != nil || item == nil {
		return err
	}
	return s.moveSessions(ctx, p, v, ContactID(item.String("data")))
}

// after puts a look or a failed job off, or takes a look that is done away;
// a job that is done has done so itself.
func (w *sweep) after(ctx context.Context, p ProjectID, id, kind string, item table.Item, again time.Time) error {
	key := item.Key()
	if kind == "run" {
		key = jobKey(p, SessionID(id), "look")
	}
	same := table.Equal("ws", item.String("ws"))
	var err error
	switch {
	case !again.IsZero() && kind == "run":
		err = w.lookAgain(ctx, p, id, key, again)
	case !again.IsZero():
		up := table.Set(key, table.Item{}, same)
		setDue(up.Set, again, p, id)
		err = w.store.write(ctx, up)
	case key.SK == "job/look" && kind != "run":
		err = w.store.write(ctx, table.Delete(key, same))
	}
	return unrefused(err) // or somebody has put it to another time meanwhile
}

// lookAgain sees to it that a session is looked at at a time or before. A look
// that is due before finds out itself when to look next.
func (w *sweep) lookAgain(ctx context.Context, p ProjectID, id string, look table.Key, at time.Time) error {
	item, err := w.store.get(ctx, true, look)
	if err != nil {
		return err
	}
	stands := item.String("ws")
	if stands != "" && stands <= dueSort(at, p, id) && stands >= stamp(w.store.clock().Add(-lookAfter)) {
		return nil
	}
	return w.store.write(ctx, table.Put(dueItem(look, at, p, id, "")))
}

// dropFile removes a file that no message carries, an hour after none can any
// more. An attachment that came all the same makes it fail, and be asked again.
func (s *Store) dropFile(ctx context.Context, p ProjectID, id FileID) error {
	file, err := s.get(ctx, true, fileKey(p, id))
	if err != nil {
		return err
	}
	if file.String("state") == string(FileAttached) {
		return s.write(ctx, table.Delete(fileJobKey(p, id)))
	}
	if err := s.bucket.Delete(ctx, quarantineKey(p, id), checkedKey(p, id)); err != nil {
		return ofBucket("delete file", err)
	}
	return s.write(ctx, table.Delete(fileKey(p, id), table.Missing("attached")), table.Delete(fileJobKey(p, id)))
}

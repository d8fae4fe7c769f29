package parley

import (
	"context"
	"fmt"
	"time"

	"parley/shared/table"
)

// A run's log is a partition of numbered entries. Nothing in it is ever
// rewritten: every append is one put under the condition that its number is
// free, so whoever appends first decides what happened.

// LogKind is the kind of a LogEntry.
type LogKind string

// The kinds. Entry 0 is a LogClaim, LogPending, LogQueued or LogNone; the
// others follow it.
const (
	LogClaim   LogKind = "claim"   // a runner generates from here on
	LogPending LogKind = "pending" // entry 0: a run that nobody has claimed yet
	LogQueued  LogKind = "queued"  // entry 0: a run that waits for its turn
	LogNone    LogKind = "none"    // entry 0: a message that got no run
	LogText    LogKind = "text"    // one chunk
	LogBeat    LogKind = "beat"    // alive though the model is silent
	LogCall    LogKind = "call"    // a call of an action: begun, and again when it is over
	LogEnd     LogKind = "end"     // nothing follows
)

// LogEntry is one entry of a run's log.
type LogEntry struct {
	N int `json:"-"`
	// By is the epoch of who appended it: fresh randomness, never used twice.
	By   string  `json:"-"`
	Kind LogKind `json:"kind"`
	At   int64   `json:"at"` // milliseconds
	// Text is the chunk, and in an end the text that had not been flushed.
	Text string `json:"text,omitempty"`
	// Status and Reason say how a run ended; Seq is the entry of the session
	// that came of it. Until is the whole reply's length in bytes.
	Status RunStatus `json:"status,omitempty"`
	Reason string    `json:"reason,omitempty"`
	Seq    Seq       `json:"seq,omitempty"`
	// Call is a call of an action, as far as it is known.
	Call *ActionCall `json:"call,omitempty"`

	// The rest is in entry 0 only. Seq there is the message to be answered, Of its id.
	Session SessionID `json:"session,omitempty"`
	Of      EntryID   `json:"of,omitempty"`
	// Hash is of the request's content; Busy the run that a refused message met.
	Hash string `json:"hash,omitempty"`
	Busy RunID  `json:"busy,omitempty"`
	// Visitor and Address (a keyed hash) are whose budget pays, Reserved the
	// tokens taken from the visitor's on the day numbered Day.
	Visitor  VisitorID `json:"visitor,omitempty"`
	Address  string    `json:"address,omitempty"`
	Reserved int64     `json:"reserved,omitempty"`
	Day      int64     `json:"day,omitempty"`
	// Leave is for how many milliseconds a responder leaves the run to a reader.
	Leave int64 `json:"leave,omitempty"`
	// Extras says that something came along for the run.
	Extras bool `json:"extras,omitempty"`
}

// RunStatus is how a run ended.
type RunStatus string

// The statuses.
const (
	StatusDone       RunStatus = "done"
	StatusCancelled  RunStatus = "cancelled"
	StatusTakenOver  RunStatus = "taken_over"
	StatusFailed     RunStatus = "failed"     // no text
	StatusIncomplete RunStatus = "incomplete" // some text
)

// logLife is how long the entries of a log are kept; a finished run is then
// resumed from the stored reply. Our choice: longer than any page waits.
const logLife = 24 * time.Hour

// MaxChunkBytes is the longest text of one log entry, in bytes.
const MaxChunkBytes = 64 << 10

// RunRef names a run of a session.
type RunRef struct {
	Project ProjectID
	Session SessionID
	Run     RunID
}

func (e LogEntry) item(p ProjectID, r RunID) (table.Item, error) {
	beside := table.Item{"nonce": e.By}
	if e.N > 0 {
		beside[table.ExpiresAt] = time.UnixMilli(e.At).Add(logLife).Unix()
	}
	return record(logKey(p, r, e.N), "log entry", e, beside)
}

func logEntryFrom(item table.Item) (LogEntry, error) {
	var e LogEntry
	if err := decode(item, "log entry", &e); err != nil {
		return e, err
	}
	e.By = item.String("nonce")
	if _, err := fmt.Sscanf(item.String(table.SK), "%d", &e.N); err != nil {
		return e, fmt.Errorf("log number %q: %w", item.String(table.SK), err)
	}
	return e, nil
}

// Standing is the error of an append whose number was taken by another entry.
type Standing struct{ Entry LogEntry }

func (s *Standing) Error() string {
	return fmt.Sprintf("log entry %d is taken by a %s", s.Entry.N, s.Entry.Kind)
}

// Append puts one entry into a run's log, once: it does not repeat itself. Nil
// also when exactly this entry stands there already, from an earlier try. A
// *Standing says what stands there instead. table.ErrNotDone and
// table.ErrUnknown ask for the very same entry to be tried again.
func (s *Store) Append(ctx context.Context, ref RunRef, e LogEntry) error {
	item, err := e.item(ref.Project, ref.Run)
	if err != nil {
		return err
	}
	err = s.table.Write(ctx, table.Put(item, table.Absent()))
	stood, ok := standing(err, 0)
	switch {
	case !ok:
		return err
	case stood == nil:
		return fmt.Errorf("%w: refused without an item", table.ErrUnknown)
	case stood.Equal(item):
		return nil
	}
	other, err := logEntryFrom(stood)
	if err != nil {
		return err
	}
	return &Standing{other}
}

// ReadLog returns the entries of a run's log from number from on, as far as
// they are without a gap: a page of a query is no snapshot. Entries that have
// expired look like a gap. ErrNotFound if from is 0 and there is no such run.
func (s *Store) ReadLog(ctx context.Context, ref RunRef, from int, consistent bool) ([]LogEntry, error) {
	var entries []LogEntry
	q := table.Query{Partition: logKey(ref.Project, ref.Run, 0).PK,
		From: logKey(ref.Project, ref.Run, from).SK, Limit: 500, Consistent: consistent}
	for item, err := range s.items(ctx, q) {
		if err != nil {
			return nil, err
		}
		e, err := logEntryFrom(item)
		if err != nil {
			return nil, err
		}
		if e.N != from+len(entries) {
			if from == 0 && len(entries) == 0 {
				return nil, fmt.Errorf("%w: a page without the beginning of a log", ErrUnavailable)
			}
			return entries, nil
		}
		entries = append(entries, e)
	}
	if from == 0 && len(entries) == 0 {
		return nil, notFound("run")
	}
	return entries, nil
}

// pointer returns entry 0 of a client id's log. ErrNotFound if the id is unknown.
func (s *Store) pointer(ctx context.Context, p ProjectID, id RunID) (LogEntry, error) {
	if err := CheckID("run", string(id)); err != nil {
		return LogEntry{}, notFound("run")
	}
	return read(ctx, s, true, logKey(p, id, 0), func(item table.Item) (LogEntry, error) {
		if item == nil || item.Bool("erased") {
			return LogEntry{}, notFound("run")
		}
		return logEntryFrom(item)
	})
}
